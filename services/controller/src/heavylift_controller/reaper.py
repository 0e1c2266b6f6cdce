"""Takes jobs back from workers that stopped renewing their leases."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import islice

import redis
import structlog

from heavylift.errors import StoreUnavailable
from heavylift.ids import JobId
from heavylift.operations import Lease, read_leases, reap
from heavylift.store import Store
from heavylift_controller import metrics
from heavylift_controller.lease_watch import LeaseWatch, Look
from heavylift_controller.queues import Queues

GAP_TICKS = 3
"""Two answers further apart than this many ticks are a break in contact; one late turn is only a busy machine."""

REAP_BATCH = 200
"""Leases one script takes back: about ten commands each, so that Redis is held up for a few milliseconds at most."""

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

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
        self._watches: dict[str, LeaseWatch] = {}

    def turn(self) -> float:
        """Look at every queue once and take back what is dead; returns the seconds to the next turn."""
        try:
            self._queues.each(self._look)
        except StoreUnavailable:
            for watch in self._watches.values():
                watch.lose_contact()
            metrics.FRESH_PERIODS.labels(reason="error").inc()
            raise
        return self._tick

    def _look(self, queue: str) -> None:
        watch = self._watches.setdefault(queue, LeaseWatch(period=self._period, largest_gap=GAP_TICKS * self._tick))
        asked = self._clock()
        leases = self._store.run(read_leases(self._store.keys, queue))
        look = Look(leases, asked=asked, answered=self._clock(), connection=self._connections.opened)
        verdict = watch.judge(look)
        if verdict.interrupted:
            metrics.FRESH_PERIODS.labels(reason=verdict.interrupted).inc()
            log.warning("leases_given_fresh_period", queue=queue, leases=len(leases), reason=verdict.interrupted)
        remaining = iter(verdict.dead)
        while batch := list(islice(remaining, REAP_BATCH)):
            self._reap(queue, batch)

    def _reap(self, queue: str, dead: Sequence[Lease]) -> None:
        states = self._store.run(reap(self._store.keys, queue, dead))
        for lease, state in zip(dead, states, strict=True):
            if state:  # else it was renewed, ended, or taken back by another controller since it was read
                metrics.REAPED.labels(queue=queue, outcome=state).inc()
                log.warning("lease_reaped", job=str(JobId(queue, lease.uuid)), token=lease.token, state=state)
