"""dramatiq on Redis, with results: at least once, by its brokers' heartbeats."""

from __future__ import annotations

import os
import re

import dramatiq  # ty: ignore[import-not-found]
import redis
from dramatiq.brokers.redis import RedisBroker  # ty: ignore[import-not-found]
from dramatiq.results import Results  # ty: ignore[import-not-found]
from dramatiq.results.backends import RedisBackend  # ty: ignore[import-not-found]
from notes import note

URL = os.environ["BENCH_REDIS_URL"]

broker = RedisBroker(url=URL)
broker.add_middleware(Results(backend=RedisBackend(url=URL)))
dramatiq.set_broker(broker)


@dramatiq.actor(store_results=True)
def note_task(number: int, seconds: float = 0.0) -> int:
    """Note that it ran."""
    return note(number, seconds)


def fill(count: int) -> None:
    """Send messages."""
    for number in range(count):
        note_task.send(number)


def stored() -> int:
    """Return how many results there are: the result backend names their keys by an MD5."""
    keys = redis.Redis.from_url(URL).scan_iter(count=10_000)
    return sum(re.fullmatch(rb"[0-9a-f]{32}", key) is not None for key in keys)
