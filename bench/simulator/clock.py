"""Simulated time: a heap of what is to happen, in order of time and, at one time, of asking."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count


class Clock:
    """Calls what was asked for at its time. The same askings give the same run."""

    def __init__(self) -> None:
        self.now = 0.0
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def at(self, time: float, call: Callable[[], None]) -> None:
        """Have `call` called at a time, now at the earliest."""
        heappush(self._heap, (max(time, self.now), next(self._order), call))

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """Have `call` called in so many seconds."""
        self.at(self.now + seconds, call)

    def every(self, seconds: float, call: Callable[[], None], *, first: float = 0.0) -> None:
        """Have `call` called again and again."""

        def turn() -> None:
            call()
            self.after(seconds, turn)

        self.after(first, turn)

    def run(self, *, until: Callable[[], bool]) -> None:
        """Go on until something holds or nothing is left."""
        while self._heap and not until():
            self.now, _, call = heappop(self._heap)
            call()
