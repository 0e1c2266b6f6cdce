"""When each queue is to be looked at next, so that a busy one makes no other looked at more often."""

from __future__ import annotations

import time
from collections.abc import Callable

from heavylift_controller.queues import Queues


class Visits:
    """Visits each queue when its own time has come, and every `interval` seconds at the latest."""

    def __init__(self, queues: Queues, *, interval: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._queues = queues
        self._interval = interval
        self._clock = clock
        self._next_at: dict[str, float] = {}

    def turn(self, look: Callable[[str], float]) -> float:
        """Look at every queue whose time has come; returns the seconds to the next turn.

        `look` returns the seconds until it wants the queue again. A queue where it raises is visited again in the next
        turn. Raises as Queues.each does.
        """
        began = self._clock()

        def visit(queue: str) -> float:
            if self._next_at.get(queue, began) <= began:
                wait = look(queue)
                # Counted from the turn's begin, the idle queues' visits stay together in one turn.
                self._next_at[queue] = min(self._clock() + wait, began + self._interval)
            return self._next_at[queue]

        soonest = min(self._queues.each(visit), default=began + self._interval)
        return max(0.0, soonest - self._clock())
