"""Takes jobs back from workers that stopped renewing their leases."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import redis
import structlog

from heavylift.errors import StoreUnavailable
from heavylift.ids import JobId
from heavylift.operations import Lease, read_all_leases, read_leases, reap
from heavylift.store import Call, Store
from heavylift_controller import metrics
from heavylift_controller.contact import Contact
from heavylift_controller.lease_watch import LeaseWatch, Look
from heavylift_controller.queues import Queues

GAP_TICKS = 3
"""Two answers further apart than this many ticks are a break in contact; one late turn is only a busy machine."""

READ_BATCH = 100
"""Queues whose leases are read in one round trip: a tenth of a millisecond each in Redis, other clients in between."""

REAP_BATCH = 200
"""Leases one script takes back: about ten commands each, so that Redis is held up for a few milliseconds at most."""

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

T = TypeVar("T")

log = structlog.get_logger()


def clock() -> float:
    """Return seconds of a monotonic clock that goes on while the machine sleeps, so that waking shows as a gap."""
    return time.clock_gettime(_CLOCK)


class Connections:
    """Counts the connections a store opens. The client replaces a broken one in silence; a reaper must know."""

    def __init__(self, store: Store) -> None:
        self.opened = 0
        store.redis.connection_pool.connection_kwargs["redis_connect_func"] = self._on_connect

    def _on_connect(self, connection: redis.Connection) -> None:
        connection.on_connect()
        self.opened += 1


class Reaper:
    """Looks at all leases every tick. `store` is the reaper's own: its connections tell whether contact broke."""

    def __init__(
        self, store: Store, queues: Queues, *, period: float, tick: float, clock: Callable[[], float] = clock
    ) -> None:
        self._store = store
        self._queues = queues
        self._period = period
        self._tick = tick
        self._clock = clock
        self._connections = Connections(store)
        self._contact = Contact(largest_gap=GAP_TICKS * tick)
        self._watches: dict[str, LeaseWatch] = {}

    def turn(self) -> float:
        """Look at every queue once and take back what is dead; returns the seconds to the next turn."""
        try:
            looks = self._look_at_all(self._queues.names())
            self._queues.each(lambda queue: self._judge(queue, looks.get(queue) or self._look(queue)))
        except StoreUnavailable:
            self._contact.lose()
            metrics.FRESH_PERIODS.labels(reason="error").inc()
            raise
        return self._tick

    def _look_at_all(self, queues: Sequence[str]) -> dict[str, Look]:
        """Read the leases of all queues in few round trips. Those that must be read alone are left out."""
        looks: dict[str, Look] = {}
        for some in _batches(queues, READ_BATCH):
            looks |= self._look_at_some(some)
        return looks

    def _look_at_some(self, queues: Sequence[str]) -> dict[str, Look]:
        asked = self._clock()
        try:
            leases = self._ask(read_all_leases(self._store.keys, queues))
        except StoreUnavailable:
            raise
        except Exception:  # noqa: BLE001 - one of them is broken; read alone, it will say which and what is wrong
            return {}
        answered = self._clock()
        return {queue: Look(leases[queue], asked=asked, answered=answered) for queue in queues}

    def _look(self, queue: str) -> Look:
        asked = self._clock()
        leases = self._ask(read_leases(self._store.keys, queue))
        return Look(leases, asked=asked, answered=self._clock())

    def _judge(self, queue: str, look: Look) -> None:
        watch = self._watches.setdefault(queue, LeaseWatch(period=self._period))
        for dead in _batches(watch.judge(look, contact_since=self._contact.since), REAP_BATCH):
            self._reap(queue, dead)

    def _reap(self, queue: str, dead: Sequence[Lease]) -> None:
        states = self._ask(reap(self._store.keys, queue, dead))
        for lease, state in zip(dead, states, strict=True):
            if state:  # else it was renewed, ended, or taken back by another controller since it was read
                metrics.REAPED.labels(queue=queue, outcome=state).inc()
                log.warning("lease_reaped", job=str(JobId(queue, lease.uuid)), token=lease.token, state=state)

    def _ask(self, call: Call[T]) -> T:
        """Run a Call; its answer counts as contact."""
        reply = self._store.run(call)
        broken = self._contact.answered(self._clock(), connection=self._connections.opened)
        if broken:
            metrics.FRESH_PERIODS.labels(reason=broken).inc()
            log.warning("leases_given_fresh_period", reason=broken)
        return reply


def _batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[at : at + size] for at in range(0, len(items), size))
