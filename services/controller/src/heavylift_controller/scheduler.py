"""Moves scheduled jobs into their queue when their time has come, by Redis's clock."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from heavylift.operations import release_due
from heavylift.store import Store
from heavylift_controller import metrics
from heavylift_controller.queues import Queues
from heavylift_controller.visits import Visits

BATCH = 500
"""Jobs one script releases: about ten commands each, so that Redis is held up for a few milliseconds at most."""

SHORTEST_SLEEP = 0.01
"""Seconds: jobs due one after another are taken together instead of in a turn each, and start at most so much later."""

log = structlog.get_logger()


class Scheduler:
    """Releases due jobs of each queue when its next is due, and looks at each every `tick` seconds at the latest."""

    def __init__(
        self, store: Store, queues: Queues, *, tick: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._tick = tick
        self._visits = Visits(queues, interval=tick, clock=clock)

    def turn(self) -> float:
        """Release one batch of every queue that has due jobs; returns the seconds to the next turn."""
        return self._visits.turn(self._release)

    def _release(self, queue: str) -> float:
        """Return the seconds until the queue's next job is due, 0 while full batches come."""
        count, next_in = self._store.run(release_due(self._store.keys, queue, limit=BATCH))
        if count:
            metrics.RELEASED.labels(queue=queue).inc(count)
            log.debug("jobs_released", queue=queue, count=count)
        if count >= BATCH:
            return 0.0
        return self._tick if next_in is None else max(next_in.total_seconds(), SHORTEST_SLEEP)
