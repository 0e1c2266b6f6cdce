"""Removes finished jobs past their retention: their files first, then their record.

In this order a crash between the two leaves a job that is swept again, never files that nothing names any more. A job's
files go with its prefix: input, published artifacts, and what lost attempts had staged.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import structlog

from heavylift.artifacts import ArtifactStore, job_key
from heavylift.errors import ArtifactStorageUnavailable, InvalidArtifactName
from heavylift.ids import JobId
from heavylift.operations import forget, read_kept_until
from heavylift.store import Call, Reply, Store
from heavylift_controller import metrics
from heavylift_controller.queues import Queues

BATCH = 200
"""Jobs of one queue a turn removes: a few seconds of requests to S3, a few milliseconds of Redis."""

FAILING_SECONDS = 20.0
"""Storage that fails for so long within a turn is away, not merely refusing one job's files: leave it for a while."""

log = structlog.get_logger()


class Sweeper:
    """Looks every `interval` seconds for jobs whose retention is over by Redis's clock."""

    def __init__(self, store: Store, queues: Queues, artifacts: ArtifactStore, *, interval: float) -> None:
        self._store = store
        self._queues = queues
        self._artifacts = artifacts
        self._interval = interval

    def turn(self) -> float:
        """Sweep one batch of every queue; returns the seconds to the next turn, 0 while there is more."""
        more = self._queues.each(self._sweep)
        return 0.0 if any(more) else self._interval

    def _sweep(self, queue: str) -> bool:
        now = self._store.run(_redis_time())
        uuids = self._store.run(read_kept_until(self._store.keys, queue, now, limit=BATCH))
        cleared, failure = self._clear([JobId(queue, uuid) for uuid in uuids])
        if cleared:
            gone = self._store.run(forget(self._store.keys, queue, [job_id.uuid for job_id in cleared]))
            metrics.SWEPT.labels(queue=queue).inc(gone)
            log.info("jobs_swept", queue=queue, count=gone)
        if failure:
            raise failure
        return len(uuids) == BATCH

    def _clear(self, jobs: list[JobId]) -> tuple[list[JobId], ArtifactStorageUnavailable | None]:
        """Remove the jobs' files; returns the jobs that have none left, and what went wrong with the others."""
        began = time.monotonic()
        cleared: list[JobId] = []
        failure = None
        for job_id in jobs:
            try:
                self._artifacts.delete_prefix(job_key(str(job_id)))
            except InvalidArtifactName:
                cleared.append(job_id)  # a stock producer chose this id; storage takes no file under it
            except ArtifactStorageUnavailable as error:
                failure = error
                if time.monotonic() - began > FAILING_SECONDS:
                    break
            else:
                cleared.append(job_id)
        return cleared, failure


def _redis_time() -> Call[datetime]:
    """Return a Call for Redis's time, by which retention is counted: this machine's clock may be ahead of it."""

    def parse(replies: list[Reply]) -> datetime:
        seconds, micros = (int(part) for part in replies[0])  # ty: ignore[not-iterable, invalid-argument-type]
        return datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=micros)

    return Call([("TIME",)], parse)
