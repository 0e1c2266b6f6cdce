"""Moves scheduled jobs into their queue when their time has come, by Redis's clock."""

from __future__ import annotations

from datetime import timedelta

import structlog

from heavylift.operations import release_due
from heavylift.store import Store
from heavylift_controller import metrics
from heavylift_controller.queues import Queues

BATCH = 500
"""Jobs one script releases: about ten commands each, so that Redis is held up for a few milliseconds at most."""

SHORTEST_SLEEP = 0.01
"""Seconds: jobs due one after another are taken together instead of in a turn each, and start at most so much later."""

log = structlog.get_logger()


class Scheduler:
    """Releases due jobs, and sleeps until the next is due, but not longer than `tick`."""

    def __init__(self, store: Store, queues: Queues, *, tick: float) -> None:
        self._store = store
        self._queues = queues
        self._tick = tick

    def turn(self) -> float:
        """Release one batch of every queue; returns the seconds to the next turn, 0 while full batches come."""
        sleeps = self._queues.each(self._release)
        return min(sleeps, default=self._tick)

    def _release(self, queue: str) -> float:
        count, next_in = self._store.run(release_due(self._store.keys, queue, limit=BATCH))
        if count:
            metrics.RELEASED.labels(queue=queue).inc(count)
            log.debug("jobs_released", queue=queue, count=count)
        if count >= BATCH:
            return 0.0
        return self._sleep(next_in)

    def _sleep(self, next_in: timedelta | None) -> float:
        if next_in is None:
            return self._tick
        return min(max(next_in.total_seconds(), SHORTEST_SLEEP), self._tick)
