"""What a worker tells the scaling policy, and what it hears from it.

The worker reports how it is. The policy marks a worker that may be ended, and the claim script gives it no more jobs:
nothing depends on this process for that. Here it learns of the mark, so that it stops asking and `/readyz` says so, and
of its end. While Redis is away it stays as it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from itertools import count, cycle

import structlog

from heavylift import operations as ops
from heavylift.store import Store
from heavylift_worker.desk import Desk
from heavylift_worker.settings import WorkerSettings

logger = structlog.get_logger()

REPORT_SECONDS = 10.0
"""Between two reports if nothing changes. With the looks they are what an idle worker costs Redis."""

LOOK_SECONDS = 10.0
"""Between two looks for a mark: a worker that waits for jobs is called, and one that asks for jobs is told."""

PAUSED_LOOK_SECONDS = 0.5
"""The same while paused: jobs may wait for the mark to be taken back."""

RETRY_SECONDS = 1.0


class Presence:
    """Keeps the desk paused while the worker is marked. For the supervisor's thread, except `ready`."""

    def __init__(
        self,
        store: Store,
        settings: WorkerSettings,
        desk: Desk,
        queues: Sequence[str],
        *,
        on_resume: Callable[[], None],
    ) -> None:
        self.looked = False
        """Whether it is known if the worker is marked."""
        self._store = store
        self._settings = settings
        self._desk = desk
        self._queues = tuple(queues)
        self._next_queue = cycle(self._queues)
        self._on_resume = on_resume
        self._beats = count(1)
        self._booted_at: float | None = None
        self._marked = False
        self._reported: bool | None = None
        """The pause that was reported last."""
        self._look_at = 0.0
        self._report_at = 0.0

    def ready(self) -> None:
        """Have it reported that the worker is there: for the first time, or to a Redis that came back empty."""
        self._booted_at = self._booted_at or time.time()
        self._report_at = 0.0

    def due(self) -> float:
        """Return when the next turn is due, by the monotonic clock."""
        return min(self._look_at, self._report_at) if self._booted_at else self._look_at

    def turn(self) -> None:
        """Look and report, as far as it is time to. Raises StoreUnavailable."""
        now = time.monotonic()
        if now >= self._look_at or self._desk.paused is not self._marked:
            self._look_at = now + RETRY_SECONDS
            self._look()
            self._look_at = now + (PAUSED_LOOK_SECONDS if self._marked else LOOK_SECONDS)
        if self._booted_at and (now >= self._report_at or self._resting() is not self._reported):
            self._report_at = now + RETRY_SECONDS
            self._report(self._booted_at)
            self._report_at = now + REPORT_SECONDS

    def goodbye(self) -> None:
        """Take the report back. Raises StoreUnavailable."""
        self._store.run(ops.forget_workers(self._store.keys, [self._settings.worker_name]))

    def _look(self) -> None:
        queues = self._store.run(ops.read_marks(self._store.keys, self._asked(), self._settings.worker_name))
        self.looked = True
        before, self._marked = self._marked, bool(queues)
        if before is not self._marked:
            logger.info("worker_paused" if queues else "worker_resumed", queues=sorted(queues), held=self._desk.held())
        if self._marked and not self._desk.paused:
            self._desk.pause()
            self._store.run(ops.call_workers(self._store.keys, [self._settings.worker_name]))  # it may wait for jobs
        elif self._desk.paused and not self._marked:
            self._desk.resume()
            self._on_resume()

    def _asked(self) -> tuple[str, ...]:
        """Return the queues to ask: who is to be drained is marked in all of them, so that one of them tells it."""
        return self._queues if self._desk.paused or not self.looked else (next(self._next_queue),)

    def _report(self, booted_at: float) -> None:
        paused = self._resting()
        report = ops.WorkerReport(
            pool=self._settings.pool,
            boot=self._desk.claimant.boot,
            slots=self._desk.slots,
            queues=self._queues,
            paused=paused,
            beat=next(self._beats),
            booted_at=booted_at,
            version=version("heavylift"),
        )
        self._store.run(ops.report_worker(self._store.keys, self._settings.worker_name, report))
        self._reported = paused

    def _resting(self) -> bool:
        return self._desk.paused or self._desk.draining
