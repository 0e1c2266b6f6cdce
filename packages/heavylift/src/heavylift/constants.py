"""Every Redis key and every duration that is not a setting, in one place.

All keys of a queue carry its name as hash tag, so that a script touches one slot of a Redis Cluster. The message
lists are the exception: Celery, Flower and KEDA know them by the bare name of the queue.
"""

from datetime import timedelta

from heavylift.model import Priority

TYPES_KEY = "hl:types"
"""Hash: job type -> JSON of JobTypeInfo, published by every worker on start."""

QUEUES_KEY = "hl:queues"
"""Set: every queue that a published job type ever had. Jobs may still wait where a type has moved away from."""

INSTALLATION_KEY = "hl:installation"
"""String: the name of the installation that this Redis and prefix belong to (installation.py)."""

IDEMPOTENCY_HEADER = "Idempotency-Key"
"""The header under which a request may be sent again (draft-ietf-httpapi-idempotency-key-header)."""

PRIORITY_SEPARATOR = "\x06\x16"
"""What kombu puts between a queue's name and its priority step (kombu.transport.redis.Channel.sep)."""

HEARTBEAT_INTERVAL = timedelta(seconds=1)
"""How often a busy worker renews its leases: one command a second, and the longest a cancel waits to be seen."""

LEASE_PERIOD = timedelta(seconds=15)
"""A lease not renewed for so long, by the reaper's own clock, is dead: 15 missed beats, 20 s to running again."""

IDLE_LOOK_INTERVAL = timedelta(seconds=4)
"""How long an idle worker trusts the wake list; bounds the latency of a stock producer, which pushes no token."""

PROGRESS_INTERVAL = timedelta(milliseconds=250)
"""At most four progress writes a second and job: smooth to the eye, invisible to Redis."""

CANCEL_GRACE = timedelta(milliseconds=600)
"""What a running job gets between the request to stop and its end; with the heartbeat it stays below 2 s."""

MAX_LOG_EVENTS = 1000
"""Log events kept a job: a chatty 24-hour job must not fill Redis."""

MAX_SKIPPED_PER_CLAIM = 200
"""Cancelled or expired messages one claim drops before it returns, which bounds the script's time."""

SUSPECT_PATIENCE = timedelta(seconds=1)
"""How long a job that was lost twice waits for a worker that happens to hold nothing. Then one runs dry for it,
whose slots stay empty meanwhile."""

SUSPECT_SPACING = timedelta(seconds=0.5)
"""Between the starts of two jobs that were lost twice, while others wait and the first one has not ended."""

DRY_TURN = timedelta(seconds=30)
"""How long a worker at least has to hold nothing, before another one that asks runs dry instead."""

DRY_PERIOD = timedelta(seconds=15)
"""How long a worker counts as the one that runs dry after it last asked, which it does every IDLE_LOOK_INTERVAL."""

DRAIN_PERIOD = timedelta(minutes=10)
"""How long a drain mark holds: no controller that is gone for good keeps a worker from its work for longer."""


class Keys:
    """Names of all keys under one prefix (two releases on one Redis need two prefixes)."""

    def __init__(self, prefix: str = "") -> None:
        self.prefix = prefix

    def base(self, queue: str) -> str:
        """Return what every key of the queue's state begins with."""
        return f"{self.prefix}hl:{{{queue}}}:"

    def lists(self, queue: str) -> list[str]:
        """Return the message lists in the order they are served, as kombu names them."""
        return [f"{self.prefix}{queue}" + (f"{PRIORITY_SEPARATOR}{step}" if step else "") for step in sorted(Priority)]

    def script_keys(self, queue: str) -> list[str]:
        """Return the KEYS of every script: the base, then the message lists."""
        return [self.base(queue), *self.lists(queue)]

    def job(self, queue: str, uuid: str) -> str:
        """Hash: the job's record."""
        return f"{self.base(queue)}job:{uuid}"

    def events(self, queue: str, uuid: str) -> str:
        """List: the job's events as JSON; an event's id is its position, from 1."""
        return f"{self.base(queue)}events:{uuid}"

    def index(self, queue: str, status: str) -> str:
        """Sorted set: uuids of the queue's jobs in this state by creation (ms); `queued` is banded by priority."""
        return f"{self.base(queue)}{status}"

    def due(self, queue: str) -> str:
        """Sorted set: scheduled uuids by due time (ms, Redis's clock)."""
        return f"{self.base(queue)}due"

    def policies(self, queue: str) -> str:
        """Hash: job type -> attempts and retention (ms), for jobs that stock producers sent."""
        return f"{self.base(queue)}policies"

    def wake(self, queue: str) -> str:
        """List: at most one token, which wakes one idle worker."""
        return f"{self.base(queue)}wake"

    def suspects(self, queue: str) -> str:
        """List: messages of jobs that were lost twice, for a worker that holds nothing."""
        return f"{self.base(queue)}suspects"

    def suspects_for(self, queue: str) -> str:
        """String: `<ms>:<worker>`, since when which one is given nothing until it holds nothing."""
        return f"{self.base(queue)}suspects_for"

    def leases(self, queue: str) -> str:
        """Hash: uuid -> fencing token of the attempt that may write."""
        return f"{self.base(queue)}leases"

    def beats(self, queue: str) -> str:
        """Hash: uuid -> how often its lease was renewed."""
        return f"{self.base(queue)}beats"

    def draining(self, queue: str) -> str:
        """Hash: worker -> end (ms) of the mark that keeps it from claiming; `` -> highest epoch that wrote."""
        return f"{self.base(queue)}draining"

    def woken(self, queue: str) -> str:
        """Channel: a hint that a job was submitted to the empty queue."""
        return f"{self.base(queue)}woken"

    def called(self, worker: str) -> str:
        """List: at most one call, which makes a waiting worker look for jobs and marks."""
        return f"{self.prefix}hl:called:{worker}"

    def told(self, queue: str, uuid: str) -> str:
        """Channel: a hint that the job's record or events changed; its loss costs a poll, never an event."""
        return f"{self.base(queue)}told:{uuid}"

    def idempotency(self, digest: str) -> str:
        """String: what a request with an Idempotency-Key of this digest made; the API writes and reads it."""
        return f"{self.prefix}hl:idem:{digest}"

    @property
    def local(self) -> str:
        """What the keys begin with by which the controller steers this machine's workers; no queue is named so."""
        return f"{self.prefix}hl:{{-local}}:"

    @property
    def installation(self) -> str:
        """String: the name of the installation."""
        return self.prefix + INSTALLATION_KEY

    @property
    def types(self) -> str:
        """Hash: job type -> JSON of JobTypeInfo."""
        return self.prefix + TYPES_KEY

    @property
    def queues(self) -> str:
        """Set: the names of all queues."""
        return self.prefix + QUEUES_KEY

    @property
    def workers(self) -> str:
        """Hash: worker -> JSON of its WorkerReport."""
        return f"{self.prefix}hl:workers"

    @property
    def epoch(self) -> str:
        """String: how many leaderships there have been; each controller that leads has drawn its own."""
        return f"{self.prefix}hl:epoch"

    @property
    def pools(self) -> str:
        """Hash: pool -> JSON of what it does and why; the leading controller writes it."""
        return f"{self.prefix}hl:pools"

    @property
    def scaling(self) -> str:
        """Hash: pool -> what the scaling policy remembers of it; `` -> highest epoch that wrote."""
        return f"{self.prefix}hl:scaling"

    @property
    def steering(self) -> str:
        """Hash: pool, blank, matter -> JSON of a person's newest order about it; the API writes it."""
        return f"{self.prefix}hl:steering"
