"""Which queues there are: all that a published job type ever had, and those the settings name."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

import structlog

from heavylift.errors import StoreUnavailable
from heavylift.operations import read_queues
from heavylift.store import Store
from heavylift_controller import metrics

FRESH = 2.0
"""Seconds the names are trusted: a job lost right after its worker published its type still runs again in 20 s."""

T = TypeVar("T")

log = structlog.get_logger()


class Queues:
    """The names of all queues, read at most every `FRESH` seconds for all parts together."""

    def __init__(self, store: Store, *, named: Iterable[str] = (), clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._named = frozenset(named)
        self._clock = clock
        self._lock = threading.Lock()
        self._names: frozenset[str] = frozenset()
        self._read_at = float("-inf")

    def names(self) -> list[str]:
        """Return the names in order. Raises StoreUnavailable."""
        with self._lock:
            if self._clock() - self._read_at > FRESH:
                self._read()
            return sorted(self._names)

    def each(self, look: Callable[[str], T]) -> list[T]:
        """Look at every queue. Raises StoreUnavailable at once, what else went wrong after the last queue.

        So one queue with a broken key keeps no other from being served.
        """
        results: list[T] = []
        failures: list[Exception] = []
        for queue in self.names():
            try:
                results.append(look(queue))
            except StoreUnavailable:
                raise
            except Exception as error:  # noqa: BLE001 - raised again after the last queue
                error.add_note(f"queue {queue}")
                failures.append(error)
        if failures:
            raise ExceptionGroup("queues failed", failures)
        return results

    def _read(self) -> None:
        names = self._named | self._store.run(read_queues(self._store.keys))
        for queue in sorted(names - self._names):
            metrics.announce(queue)
            log.info("queue_found", queue=queue)
        self._names = names
        self._read_at = self._clock()
