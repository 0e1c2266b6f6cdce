"""taskiq on a Redis stream, with results: at least once, by the stream's pending list."""

from __future__ import annotations

import asyncio
import os

import redis
from notes import note
from taskiq_redis import RedisAsyncResultBackend, RedisStreamBroker  # ty: ignore[import-not-found]

URL = os.environ["BENCH_REDIS_URL"]

broker = RedisStreamBroker(url=URL).with_result_backend(RedisAsyncResultBackend(redis_url=URL, prefix_str="result"))


@broker.task
async def note_task(number: int) -> int:
    """Note that it ran."""
    return note(number)


def fill(count: int) -> None:
    """Send messages."""

    async def send() -> None:
        await broker.startup()
        for number in range(count):
            await note_task.kiq(number)
        await broker.shutdown()

    asyncio.run(send())


def stored() -> int:
    """Return how many results there are."""
    return sum(1 for _ in redis.Redis.from_url(URL).scan_iter("result:*", count=10_000))
