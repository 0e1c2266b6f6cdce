"""What another autoscaler (KEDA) is told of each pool: a number, and whether there is anything to do.

The loop writes it, the servers read it from their own threads and wait for changes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Serving:
    """What is served for a pool."""

    number: int
    """The workers to ask for: never more than there are about to be while a scale-in of ours is under way."""
    active: bool
    """Whether the pool must not be at zero: something is wanted, or workers are there that we have yet to drain."""
    at: float
    """When it was decided, in seconds of `time.monotonic`. Old: nobody decides at present."""


class Served:
    """The newest of every pool. Thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._pools: dict[str, Serving] = {}
        self._watchers: list[Callable[[], None]] = []

    def watch(self, changed: Callable[[], None]) -> None:
        """Have this called after each change, quickly, from the thread that made it."""
        with self._changed:
            self._watchers.append(changed)

    def get(self, pool: str) -> Serving | None:
        """Return what is served for a pool; None: nothing is known of it, which is not zero."""
        with self._changed:
            return self._pools.get(pool)

    def all(self) -> Mapping[str, Serving]:
        """Return what is served for every pool."""
        with self._changed:
            return dict(self._pools)

    def put(self, pool: str, serving: Serving) -> None:
        """Serve this from now on, and wake who waits if it says something new."""
        with self._changed:
            before = self._pools.get(pool)
            self._pools[pool] = serving
            if _said(before) != _said(serving):
                self._tell()

    def keep(self, pools: Mapping[str, object]) -> None:
        """Forget the pools that are not among these."""
        with self._changed:
            self._pools = {name: each for name, each in self._pools.items() if name in pools}
            self._tell()

    def await_change(self, pool: str, seen: Serving | None, timeout: float) -> Serving | None:
        """Wait until a pool's number or activity differs from what was seen; returns what is served then, or at last.

        To end a wait early, wait in short steps.
        """
        deadline = time.monotonic() + timeout
        with self._changed:
            while _said(self._pools.get(pool)) == _said(seen):
                left = deadline - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    break
            return self._pools.get(pool)

    def _tell(self) -> None:
        self._changed.notify_all()
        for changed in self._watchers:
            changed()


def _said(serving: Serving | None) -> tuple[int, bool] | None:
    return None if serving is None else (serving.number, serving.active)
