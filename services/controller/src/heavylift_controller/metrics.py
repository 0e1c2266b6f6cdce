"""The controller's own metrics. What queues hold is in observer.py, since it is read from Redis.

Several controllers share the work, so sum their counters over instances.
"""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

REAPED = Counter(
    "heavylift_reaped_leases",
    "Leases taken back because their worker stopped renewing them, by the job's state afterwards.",
    ("queue", "outcome"),
)

RELEASED = Counter("heavylift_released_jobs", "Scheduled jobs queued when their time had come.", ("queue",))

RECURRED = Counter("heavylift_recurring_jobs", "Recurring jobs submitted when their time had come.", ("queue",))

SWEPT = Counter("heavylift_swept_jobs", "Finished jobs removed after their retention.", ("queue",))

FRESH_PERIODS = Counter(
    "heavylift_lease_fresh_periods",
    "How often leases were given a fresh period because contact with Redis was broken, by how it showed.",
    ("reason",),
)

TURN_SECONDS = Histogram(
    "heavylift_controller_turn_seconds",
    "How long a loop's turn took.",
    ("loop",),
    # A turn is a few commands, about a millisecond; Redis's time limit is 2 s; a sweep of files may take a minute.
    buckets=(0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0),
)

LAG_SECONDS = Gauge(
    "heavylift_controller_loop_lag_seconds", "How much later than planned a loop's newest turn began.", ("loop",)
)

FAILED_TURNS = Counter("heavylift_controller_failed_turns", "Turns that ended in an error.", ("loop",))

LAST_SUCCESS = Gauge(
    "heavylift_controller_last_success_timestamp_seconds",
    "When a loop's newest turn without an error ended: its last contact with Redis. 0: none yet.",
    ("loop",),
)

OUTCOMES = ("queued", "failed", "cancelled")
"""States a job has after its lease was reaped."""

INTERRUPTIONS = ("error", "new connection", "gap between answers")


def announce(queue: str) -> None:
    """Create a queue's series at 0, so that the first increase is seen by rate()."""
    for outcome in OUTCOMES:
        REAPED.labels(queue=queue, outcome=outcome)
    RELEASED.labels(queue=queue)
    RECURRED.labels(queue=queue)
    SWEPT.labels(queue=queue)


def announce_loop(name: str) -> None:
    """Create a loop's series at 0."""
    for metric in (TURN_SECONDS, LAG_SECONDS, FAILED_TURNS, LAST_SUCCESS):
        metric.labels(loop=name)


for _reason in INTERRUPTIONS:
    FRESH_PERIODS.labels(reason=_reason)
