"""What Prometheus sees of a worker. Of the worker's parent process: its children count nothing themselves.

No series names the worker: Prometheus adds where it read them. Counters start anew with each process, so sum their
rates. Every series that can be known beforehand exists from the start with 0.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from functools import cache

from prometheus_client import Counter, Gauge, Histogram

from heavylift import JobType
from heavylift.operations import Claim
from heavylift_worker.desk import Desk, Held
from heavylift_worker.meter import Meter
from heavylift_worker.outcome import OUTCOMES

SLOTS = Gauge(
    "heavylift_worker_slots",
    "Slots by state: `busy` hold a job, `free` may take one. A draining worker has no free ones.",
    ("state",),
)

DRAINING = Gauge(
    "heavylift_worker_draining", "1 while the worker takes no more jobs because it is to end, or may be, else 0."
)

DRAINS = Counter("heavylift_worker_drains", "Drains that began.")

FINISHED = Counter(
    "heavylift_attempts_finished",
    "Attempts that ended, by how: `released` went back uncounted, `lost` died, `lease_lost` ended for nothing because"
    " another worker has the job, `hung` did not let go of its slot after its end was written.",
    ("queue", "type", "outcome"),
)

LEASE_LOSSES = Counter(
    "heavylift_lease_losses",
    "Leases that this worker lost while it ran their job: it was frozen, or cut off from Redis alone.",
    ("queue",),
)

WAIT_SECONDS = Histogram(
    "heavylift_job_wait_seconds",
    "From a job's submit, or its `run_at`, to its first attempt, by Redis's clock.",
    ("queue", "type"),
    # 50 ms is an idle worker, 15 s a pod that starts, 30 and 120 s are what people promise; a backlog takes hours.
    buckets=(0.05, 0.25, 1, 5, 15, 30, 60, 120, 300, 900, 3600, 14400),
)

RUN_SECONDS = Histogram(
    "heavylift_job_run_seconds",
    "From an attempt's start in its process to its end, whatever its outcome.",
    ("queue", "type"),
    # A thumbnail takes 50 ms, a film minutes, a scrape a day. Finer steps would be series that nobody reads.
    buckets=(0.05, 0.25, 1, 5, 15, 60, 300, 900, 3600, 14400, 43200, 86400),
)

OTHER = ""
"""The label of types this worker does not know: what strangers send must not become series."""


class PrometheusMeter(Meter):
    """Counts into the process's registry."""

    def __init__(self, desk: Desk, types: Collection[JobType], queues: Collection[str]) -> None:
        self._known = {each.name for each in types}
        SLOTS.labels(state="busy").set_function(desk.held)
        SLOTS.labels(state="free").set_function(desk.room)
        DRAINING.set_function(lambda: desk.draining or desk.paused)
        for queue in queues:
            LEASE_LOSSES.labels(queue=queue)
        for each in types:
            if each.queue in queues:
                _announce(each.queue, each.name)

    def began(self, claim: Claim) -> None:
        """Count the start of an attempt, and how long its job has waited if it is the first."""
        if claim.waited is not None:
            _waits(claim.id.queue, self._type(claim)).observe(claim.waited)

    def finished(self, held: Held, outcome: str) -> None:
        """Count the end of an attempt, and how long it ran if it had begun."""
        queue, type_ = held.claim.id.queue, self._type(held.claim)
        _finished(queue, type_, outcome).inc()
        if held.started_at is not None:
            _runs(queue, type_).observe(time.monotonic() - held.started_at)

    def lease_lost(self, queue: str) -> None:
        """Count a lease that another worker has now."""
        LEASE_LOSSES.labels(queue=queue).inc()

    def drained(self) -> None:
        """Count the beginning of a drain."""
        DRAINS.inc()

    def _type(self, claim: Claim) -> str:
        return claim.type if claim.type in self._known else OTHER


def _announce(queue: str, type_: str) -> None:
    _waits(queue, type_)
    _runs(queue, type_)
    for outcome in OUTCOMES:
        _finished(queue, type_, outcome)


# labels() costs more than counting does: what it returns is kept.


@cache
def _finished(queue: str, type_: str, outcome: str) -> Counter:
    return FINISHED.labels(queue=queue, type=type_, outcome=outcome)


@cache
def _waits(queue: str, type_: str) -> Histogram:
    return WAIT_SECONDS.labels(queue=queue, type=type_)


@cache
def _runs(queue: str, type_: str) -> Histogram:
    return RUN_SECONDS.labels(queue=queue, type=type_)
