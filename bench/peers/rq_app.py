"""RQ with its default worker, which forks a process for every job."""

from __future__ import annotations

import os

import redis
from notes import note
from rq import Queue  # ty: ignore[import-not-found]

URL = os.environ["BENCH_REDIS_URL"]


def note_task(number: int) -> int:
    """Note that it ran."""
    return note(number)


def fill(count: int) -> None:
    """Enqueue jobs."""
    queue = Queue(connection=redis.Redis.from_url(URL))
    for number in range(count):
        queue.enqueue("rq_app.note_task", number)


def stored() -> int:
    """Return how many results there are."""
    return sum(1 for _ in redis.Redis.from_url(URL).scan_iter("rq:results:*", count=10_000))
