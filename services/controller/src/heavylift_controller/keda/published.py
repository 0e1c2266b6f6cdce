"""What the leader has published of each pool, for a controller that does not lead itself.

KEDA's connection ends at any of the controllers. One that does not lead reads what the leader wrote, while it is asked.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from heavylift.operations import scaling as ops
from heavylift.store import Store
from heavylift_controller.scaler import status
from heavylift_controller.scaler.status import PoolStatus

FRESH = 5.0
"""Seconds that a status counts after it was last seen to change. The leader writes each at every tick, of a second."""

EVERY = 0.5
"""Seconds between two readings: how much later than from the leader KEDA hears from here that work has come."""

ASKED = 60.0
"""Seconds that reading goes on after the last question. KEDA asks every few seconds, or has moved to another one."""


@dataclass(slots=True)
class _Written:
    text: bytes
    changed_at: float | None = None
    """When it was seen to change, by our clock: the leader's says nothing here. None: not since it was found."""


class Published:
    """The newest statuses. Read by one thread, asked by any."""

    def __init__(self, store: Store, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._asked_at = float("-inf")
        self._written: dict[str, _Written] = {}
        self.changed: Callable[[], None] = lambda: None
        """Called after a reading that found something new."""

    def get(self, pool: str) -> PoolStatus | None:
        """Return what the leader says of a pool; None: no leader has said anything lately, which is not zero."""
        now = self._clock()
        with self._lock:
            self._asked_at = now
            written = self._written.get(pool)
        if written is None or written.changed_at is None or now - written.changed_at > FRESH:
            return None
        return status.load(written.text)

    def turn(self) -> float:
        """Read all statuses, if anybody asked lately; returns the seconds to the next turn. Raises StoreUnavailable."""
        with self._lock:
            asked = self._clock() - self._asked_at <= ASKED
        if asked and self._take(self._store.run(ops.read_pools(self._store.keys))):
            self.changed()
        return EVERY

    def _take(self, texts: dict[str, bytes]) -> bool:
        now = self._clock()
        with self._lock:
            before, self._written = self._written, {}
            for pool, text in texts.items():
                known = before.get(pool)
                if known is None or known.text != text:
                    known = _Written(text, None if known is None else now)
                self._written[pool] = known
            return any(each.changed_at == now for each in self._written.values())
