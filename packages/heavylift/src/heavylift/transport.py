"""Our kombu transport: a worker takes jobs with the claim script instead of BRPOP.

The problem: kombu's Redis transport pops a message with one command and notes the pop with a second; a worker killed
between the two loses the message. Here one script pops, counts the attempt and takes the lease.

How it works: the channel has one connection with at most one command outstanding. It asks each of its queues in order
for as many jobs as the worker has free slots. When all are empty, it waits on the queues' wake lists (BLPOP) and asks
again when a token comes. When none has come for IDLE_LOOK_INTERVAL, one EXISTS looks for messages that came without a
token: from a stock producer, or while another worker took the token and died.

A worker that is marked to be drained is refused: it pauses, and asks for nothing until it is told to go on. Before, it
asks each queue that it has not asked since its last token for no jobs, which gives the token to another worker. As it
may be called to look for marks, it waits on a list of its own beside the wake lists.

A worker that must run dry for a job (see scripts/claim.lua) takes nothing of any queue. It asks that job's queue again
when it holds nothing, and meanwhile every IDLE_LOOK_INTERVAL, as another worker may have taken the job.

What is not guaranteed: a claim whose reply is lost leaves a leased job that nobody runs. The desk is told, and has it
released when Redis is back; should the worker die before that, the reaper returns it within the lease period.

Written against kombu 5.7.0, whose private hooks it overrides (named in tests/unit/heavylift/test_transport.py, which
fails when they change): the poller calls `_brpop_start` to send a command and `_brpop_read` when its reply is readable,
and takes a true `_in_poll` for "a command is outstanding".
"""

from __future__ import annotations

from time import monotonic
from typing import Any, NamedTuple, Protocol

import orjson
import redis
import structlog
from kombu.transport import TRANSPORT_ALIASES, virtual
from kombu.transport import redis as stock
from redis import exceptions

from heavylift import operations as ops
from heavylift.answers import means_later, sentence
from heavylift.connections import connection_pool
from heavylift.constants import IDLE_LOOK_INTERVAL, Keys
from heavylift.errors import ClaimRefused, MustRunDry
from heavylift.operations import Claim, Claimant
from heavylift.settings import Settings
from heavylift.store import Argument, Call, Reply

logger = structlog.get_logger()

CLAIM_HEADER = "heavylift"
"""The message header in which the claim travels from the transport to the worker."""


class Desk(Protocol):
    """Where a worker keeps the jobs it holds. The transport fills it."""

    claimant: Claimant

    def room(self) -> int:
        """Return how many jobs may be claimed now: 0 while draining, or while a job must run alone."""
        ...

    draining: bool
    """Nothing may be started any more."""

    paused: bool
    """Nothing may be claimed until the worker is told to go on."""

    def pause(self) -> None:
        """Note that the store gives this worker nothing."""
        ...

    def run_dry(self, seconds: float) -> None:
        """Have no room for so long, unless nothing is held."""
        ...

    def ask(self) -> int:
        """Return the room, and note that so many jobs are asked for."""
        ...

    def answered(self) -> None:
        """Note that no claim is on its way any more."""
        ...

    def unanswered(self, queue: str, first: int, count: int) -> None:
        """Note that the reply of a claim was lost: jobs may be leased under `count` numbers from `first`."""
        ...

    def held(self) -> int:
        """Return how many jobs the worker holds."""
        ...

    def reserve_numbers(self, count: int) -> int:
        """Return the first of `count` claim numbers that were never used before."""
        ...

    def take(self, claim: Claim) -> None:
        """Note a claimed job, so that its lease is renewed from now on."""
        ...

    def give_back(self, job_id: str, *, unfit: str | None = None) -> None:
        """Release a claimed job that this worker does not run; `unfit` says what is wrong with its message."""
        ...


class QoS(virtual.QoS):
    """Acknowledging is the finishing script's work; what is in hand is at the desk."""

    restore_at_shutdown = False
    channel: Channel

    def can_consume(self) -> bool:
        """Tell whether the channel may be polled. What is on its way must always be read: jobs, or a wake token."""
        return bool(self.channel._in_poll) or self.channel.giving_way or self.channel.desk.room() > 0

    def append(self, message: virtual.Message, delivery_tag: str) -> None:
        """Do nothing: the claim is at the desk already."""

    def ack(self, delivery_tag: str) -> None:
        """Do nothing: the child's finishing script has acknowledged."""

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Give back a job: with `requeue` for want of a consumer, without because Celery cannot read its message."""
        self.channel.desk.give_back(delivery_tag, unfit=None if requeue else "Celery cannot read its message.")

    def restore_unacked(self) -> list[Any]:
        """Do nothing: leases bring unfinished jobs back."""
        return []

    def restore_visible(self, *_: object, **__: object) -> None:
        """Do nothing: there is no visibility timeout."""


class _Asked(NamedTuple):
    """A claim on its way: jobs of `queue`, at most `room`."""

    queue: str
    call: Call[list[Claim]]
    first: int
    """Claim number."""
    room: int


class Channel(stock.Channel):
    """Claims jobs for a worker's desk."""

    QoS = QoS
    from_transport_options = (*stock.Channel.from_transport_options, "desk", "settings")
    desk: Desk
    settings: Settings
    health_check_interval = 5

    def __init__(self, *args: object, **kwargs: object) -> None:
        self._asked: _Asked | None = None
        self._look = 0  # the queue asked next; past the last one: wait
        self._overdue = False  # no token came for a while: look for messages without one
        self._sent = ""  # the outstanding command's name
        self._passed_over: set[str] = set()  # queues whose last claim was an error
        self._running_dry = False
        self._gave_way = False  # queues were asked for no jobs: after the pause all of them are asked again
        try:
            super().__init__(*args, **kwargs)
        except exceptions.ResponseError as error:  # Redis answers, but not to this PING: MISCONF, MASTERDOWN, NOPERM
            if not means_later(error):
                raise
            raise exceptions.ConnectionError(sentence(error)) from error
        self.keys = Keys(self.settings.key_prefix)
        self.brpop_timeout = IDLE_LOOK_INTERVAL.total_seconds()

    @property
    def claiming(self) -> bool:
        """Whether a claim is on its way; its reply may hold jobs."""
        return bool(self._in_poll) and self._asked is not None

    @property
    def giving_way(self) -> bool:
        """Whether a paused worker has queues to ask, so that no token is lost with it."""
        return self.desk.paused and not self.desk.draining and self._look < len(self.active_queues)

    def _get_pool(self, asynchronous: bool = False) -> redis.ConnectionPool:
        pool = connection_pool(self.settings)
        if asynchronous:
            pool.connection_class = _watched(pool.connection_class, self)
        return pool

    def _brpop_start(self, timeout: float | None = None) -> None:
        """Send the next claim, or wait for a wake token when every queue was found empty."""
        queues = self.active_queues
        self._lose_claim()  # where its connection was dropped unread
        if self._gave_way and not self.desk.paused:
            self._look, self._gave_way = 0, False
        if self._look < len(queues):
            room = self.desk.ask()
            if not room and not self.giving_way:
                return
            self._gave_way = not room
            queue = queues[self._look]
            first = self.desk.reserve_numbers(room)
            call = ops.claim(self.keys, queue, self.desk.claimant, number=first, slots=room, busy=self.desk.held())
            self._asked = _Asked(queue, call, first, room)
            self._send(*call.commands[0])
        elif queues and self.desk.room():
            if self._overdue:
                self._send(*ops.find_messages(self.keys, list(queues)).commands[0])
            else:
                lists = (self.keys.called(self.desk.claimant.worker), *map(self.keys.wake, queues))
                self._send("BLPOP", *lists, timeout or self.brpop_timeout)

    def _send(self, *command: Argument) -> None:
        self._sent = str(command[0])
        self._in_poll = self.client.connection
        self._brpop_sent_at = monotonic()
        self.client.connection.send_command(*command)

    def _brpop_read(self, **options: object) -> bool:
        asked = self._asked
        try:
            reply = self.client.parse_response(self.client.connection, self._sent, **options)
            self._asked = None
            if asked:
                self._passed_over.discard(asked.queue)
                self._take(asked, reply)
        except self.connection_errors:
            self._lose_claim()
            self.client.connection.disconnect()
            raise
        except exceptions.NoScriptError:
            self._load_script(asked)
            return True
        except ClaimRefused:
            self.desk.pause()
            self._look += 1
            return True
        except MustRunDry:
            self._run_dry(asked)
            return True
        except exceptions.ResponseError as error:
            if asked and not means_later(error):
                self._pass_over(asked, error)
                return True
            # Also where a wake list cannot be waited on: looking again after the pause does without.
            # Reconnecting pauses, and finds the new master if this one is a replica now.
            self.client.connection.disconnect()
            raise exceptions.ConnectionError(sentence(error)) from error
        finally:
            self._in_poll = False
            self._asked = None
            self.desk.answered()
        if not asked:
            self._heed(found=bool(reply))
        elif self.desk.room():
            self._brpop_start()
        return True

    def _heed(self, *, found: bool) -> None:
        """Ask all queues when there was a token, a call or a message; else look for what waiting cannot tell."""
        self._overdue = not found and not self._overdue
        if found:
            self._look = 0

    def _run_dry(self, asked: _Asked | None) -> None:
        """Take nothing for a while; the next queue to be asked stays the same."""
        if asked and not self._running_dry:
            logger.info("running_dry_for_a_job_that_runs_alone", queue=asked.queue, held=self.desk.held())
        self._running_dry = True
        self.desk.run_dry(IDLE_LOOK_INTERVAL.total_seconds())

    def _pass_over(self, asked: _Asked, error: exceptions.ResponseError) -> None:
        """Go on with the next queue: one whose keys are of a foreign type must not starve the others."""
        if asked.queue not in self._passed_over:
            self._passed_over.add(asked.queue)
            logger.error("queue_cannot_be_claimed_from", queue=asked.queue, error=sentence(error))
            self._lose_claim()  # what the script had done before the error stays done
        self._look += 1

    def _lose_claim(self) -> None:
        asked, self._asked = self._asked, None
        if asked:
            self.desk.unanswered(asked.queue, asked.first, asked.room)
            self.desk.answered()

    def _load_script(self, asked: _Asked | None) -> None:
        if asked is None or asked.call.script is None:
            raise AssertionError("NOSCRIPT for a command that is no script")
        self.client.connection.send_command("SCRIPT", "LOAD", asked.call.script.source)
        self.client.parse_response(self.client.connection, "SCRIPT LOAD")

    def _take(self, asked: _Asked, reply: Reply) -> None:
        claims = asked.call.parse([reply])
        if self._running_dry:
            self._running_dry = False
            self.desk.run_dry(0.0)
        # A full hand may have left more behind; then the same queue is asked again, in its turn.
        self._look = 0 if claims and len(claims) == asked.room else self._look + 1
        for claim in claims:  # all of them first: a failed delivery must not lose the rest
            self.desk.take(claim)
        for claim in claims:
            if self.desk.draining:
                self.desk.give_back(str(claim.id))
            else:
                self._deliver(claim)

    def _deliver(self, claim: Claim) -> None:
        try:
            self.connection._deliver(payload(claim), claim.id.queue)
        except Exception as error:  # whatever a producer has sent: it must not end the worker
            logger.exception("undeliverable_message", job=str(claim.id))
            self.desk.give_back(str(claim.id), unfit=f"Its message cannot be handled: {error!r}")

    def _poll_error(self, type: str, **_: object) -> None:  # noqa: A002 - kombu's signature
        self.handlers[type]()

    def close(self) -> None:
        """Close the channel. Jobs of a claim still on its way are given back, not started."""
        if self.claiming:
            self._give_back_outstanding()
        self._in_poll = False  # the stock channel would read the reply and deliver new work to a worker that closes
        super().close()

    def _give_back_outstanding(self) -> None:
        asked = self._asked
        if asked is None:
            return
        try:
            claims = asked.call.parse([self.client.parse_response(self.client.connection, "EVALSHA")])
        except (ClaimRefused, MustRunDry):
            claims = []
        except (*self.connection_errors, exceptions.ResponseError):
            self._lose_claim()
            return
        self._asked = None
        self.desk.answered()
        for claim in claims:
            self.desk.take(claim)
            self.desk.give_back(str(claim.id))


class Transport(stock.Transport):
    """Selected by the URL scheme `heavylift://`; address and credentials come from the settings."""

    Channel = Channel
    brpop_timeout = IDLE_LOOK_INTERVAL.total_seconds()


def payload(claim: Claim) -> dict[str, Any]:
    """Return the message of a claim as kombu delivers it: the claim rides in a header, its id is the delivery tag."""
    content = orjson.loads(claim.message)
    content["headers"][CLAIM_HEADER] = claim
    content.setdefault("properties", {})["delivery_tag"] = str(claim.id)
    return content


def _watched(connection_class: type[redis.Connection], channel: Channel) -> type[redis.Connection]:
    """Return a connection class that tells the channel's poller when a connection is closed, as the stock one does."""

    class Connection(connection_class):  # ty: ignore[unsupported-base]
        def disconnect(self, *args: object) -> None:
            super().disconnect(*args)
            if channel._registered:
                channel._on_connection_disconnect(self)

    return Connection


def register() -> None:
    """Make kombu know the URL scheme `heavylift://`."""
    TRANSPORT_ALIASES["heavylift"] = "heavylift.transport:Transport"
