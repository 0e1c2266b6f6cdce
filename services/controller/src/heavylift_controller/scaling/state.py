"""What is seen of a pool at one moment: the only input of a decision beside settings and memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

STALE = 3.0
"""Seconds after which what was read is no longer acted upon: a few ticks."""


class Phase(StrEnum):
    """How far a worker's pod is. Whether it is busy is told by the jobs it runs, not by its phase."""

    BOOTING = "booting"
    """On its way: created, and its worker has not yet reported."""
    READY = "ready"
    """Its worker reports and takes jobs."""
    DRAINING = "draining"
    """Its worker was told to take no more jobs; this can be undone at once."""
    UNSCHEDULABLE = "unschedulable"
    """No node has room for it."""
    FAILING = "failing"
    """It starts and dies, again and again."""
    UNKNOWN = "unknown"
    """It runs, and its worker does not report: it may hold jobs, so it is nobody's victim."""


@dataclass(frozen=True, slots=True)
class Running:
    """A job in a slot, and for how many seconds."""

    queue: str
    job_type: str
    age: float


@dataclass(frozen=True, slots=True)
class Worker:
    """A pod that is not being deleted."""

    name: str
    phase: Phase
    age: float
    """Seconds since a node was found for it; since it was created where that is not known."""
    running: tuple[Running, ...] = ()
    booted_in: float | None = None
    """Seconds from then to its worker's first report, once known."""

    @property
    def stays(self) -> bool:
        """Whether it holds a job, or might: then it is no victim."""
        return bool(self.running) or self.phase is Phase.UNKNOWN


@dataclass(frozen=True, slots=True)
class QueueLoad:
    """What a queue holds, and the counters of what went through it since the store began."""

    waiting: int
    oldest_age: float = 0.0
    """Seconds the oldest waiting job has waited."""
    arrived: int = 0
    """Counter of jobs that became ready to run."""
    waiting_types: Mapping[str, int] = field(default_factory=dict)
    """What waits, by job type; empty where that is not known."""
    served: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    """Job type -> bucket of its service time (service_times.bucket) -> counter of jobs that ended in it."""


@dataclass(frozen=True, slots=True)
class PoolState:
    """A pool at the moment `now`, in seconds since the epoch by Redis's clock.

    `queues` or `workers` is None where they could not be read: no data is not zero.
    """

    now: float
    replicas: int
    """What the Deployment asks for at present."""
    queues: Mapping[str, QueueLoad] | None
    workers: tuple[Worker, ...] | None
    unread: str = ""
    """What could not be read, in a word: `redis`, `pods`."""
    read_ago: float = 0.0
    """Seconds since the older of both was read."""
    quota_room: int | None = None
    """How many more pods the namespace's quota admits; None where there is none."""
    rollout: bool = False
    """Two ReplicaSets are live: who a scale-in would delete cannot be told."""

    def unread_of(self, queues: Iterable[str]) -> str:
        """Return what is missing or too old to act upon, in words; empty where all of it is there."""
        if self.unread or self.queues is None or self.workers is None:
            return self.unread or "missing data"
        if self.read_ago > STALE:
            return f"data is {self.read_ago:.0f} s old"
        missing = sorted(set(queues) - set(self.queues))
        return f"no data of queue {', '.join(missing)}" if missing else ""
