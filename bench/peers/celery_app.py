"""Stock Celery on Redis, with the settings its documentation gives for jobs that must not be lost, and its quickest."""

from __future__ import annotations

import os

import redis
from celery import Celery
from notes import note

URL = os.environ["BENCH_REDIS_URL"]

app = Celery("bench", broker=URL, backend=URL)
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    worker_send_task_events=False,
    worker_enable_remote_control=False,
    broker_connection_retry_on_startup=True,
    # One list instead of four in every BRPOP: no priorities are used.
    broker_transport_options={"priority_steps": [0], "socket_timeout": 10, "socket_connect_timeout": 3},
    result_expires=3600,
)


@app.task(name="bench.note")
def note_task(number: int, seconds: float = 0.0, padding: str = "") -> int:  # noqa: ARG001 - for its size
    """Note that it ran."""
    return note(number, seconds)


def fill(count: int, padding: str = "") -> None:
    """Send tasks one by one: Celery has no call for many."""
    for number in range(count):
        note_task.delay(number, 0.0, padding)


def stored() -> int:
    """Return how many results there are."""
    return sum(1 for _ in redis.Redis.from_url(URL).scan_iter("celery-task-meta-*", count=10_000))


def submit(number: int, seconds: float) -> None:
    """Send one task."""
    note_task.delay(number, seconds)
