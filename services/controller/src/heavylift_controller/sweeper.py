"""Removes finished jobs past their retention: their files first, then their record.

In this order a crash between the two leaves a job that is swept again, never files that nothing names any more. A job's
files go with its prefix: input, published artifacts, and what lost attempts had staged.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog

from heavylift.artifacts import ArtifactStore, job_key
from heavylift.errors import ArtifactStorageUnavailable, InvalidArtifactName
from heavylift.ids import JobId
from heavylift.operations import forget, read_kept_until
from heavylift.store import Call, Reply, Store
from heavylift_controller import metrics
from heavylift_controller.queues import Queues
from heavylift_controller.visits import Visits

BATCH = 200
"""Jobs of one queue a turn removes: a few seconds of requests to S3, a few milliseconds of Redis."""

FAILING_SECONDS = 20.0
"""Storage that fails for so long within a turn is away, not merely refusing one job's files: leave it for a while."""

log = structlog.get_logger()


class Sweeper:
    """Looks every `interval` seconds for jobs whose retention is over by Redis's clock.

    It goes through a queue's jobs batch by batch, oldest first, past those that it could not remove, and begins again
    with them after the newest: however many they are, they hold up no other.
    """

    def __init__(
        self,
        store: Store,
        queues: Queues,
        artifacts: ArtifactStore,
        *,
        interval: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._artifacts = artifacts
        self._interval = interval
        self._clock = clock
        self._visits = Visits(queues, interval=interval, clock=clock)
        self._more = False
        self._left: Counter[str] = Counter()
        self._failures: dict[str, ArtifactStorageUnavailable] = {}

    def turn(self) -> float:
        """Sweep one batch of every queue; returns the seconds to the next turn, 0 while there is more.

        Raises an ExceptionGroup when nothing is left but jobs whose files storage does not remove.
        """
        self._more = False
        wait = self._visits.turn(self._sweep)
        if self._failures and not self._more:
            raise ExceptionGroup("files were not removed", list(self._failures.values()))
        return wait

    def _sweep(self, queue: str) -> float:
        """Take the next batch; returns the seconds until the one after it."""
        now = self._store.run(_redis_time())
        left = self._left[queue]
        uuids = self._store.run(read_kept_until(self._store.keys, queue, now, limit=BATCH, offset=left))
        if not left:
            self._failures.pop(queue, None)
        cleared, tried = self._clear([JobId(queue, uuid) for uuid in uuids])
        gone = self._forget(queue, cleared)
        at_end = tried == len(uuids) < BATCH
        self._left[queue] = 0 if at_end else left + tried - gone
        if at_end or not gone:
            return self._interval
        self._more = True
        return 0.0

    def _forget(self, queue: str, jobs: list[JobId]) -> int:
        if not jobs:
            return 0
        gone = self._store.run(forget(self._store.keys, queue, [job_id.uuid for job_id in jobs]))
        metrics.SWEPT.labels(queue=queue).inc(gone)
        log.info("jobs_swept", queue=queue, count=gone)
        return gone

    def _clear(self, jobs: list[JobId]) -> tuple[list[JobId], int]:
        """Remove the jobs' files; returns the jobs that have none left, and how many were tried."""
        began = self._clock()
        cleared: list[JobId] = []
        for tried, job_id in enumerate(jobs, 1):
            try:
                self._artifacts.delete_prefix(job_key(str(job_id)))
            except InvalidArtifactName:
                cleared.append(job_id)  # a stock producer chose this id; storage takes no file under it
            except ArtifactStorageUnavailable as error:
                error.add_note(f"job {job_id}")
                self._failures[job_id.queue] = error
                if self._clock() - began > FAILING_SECONDS:
                    return cleared, tried
            else:
                cleared.append(job_id)
        return cleared, len(jobs)


def _redis_time() -> Call[datetime]:
    """Return a Call for Redis's time, by which retention is counted: this machine's clock may be ahead of it."""

    def parse(replies: list[Reply]) -> datetime:
        seconds, micros = (int(part) for part in replies[0])  # ty: ignore[not-iterable, invalid-argument-type]
        return datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=micros)

    return Call([("TIME",)], parse)
