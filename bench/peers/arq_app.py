"""arq: at least once, by in-progress keys that time out."""

from __future__ import annotations

import asyncio
import os
from typing import ClassVar

import redis
from arq import create_pool  # ty: ignore[import-not-found]
from arq.connections import RedisSettings  # ty: ignore[import-not-found]
from notes import note

URL = os.environ["BENCH_REDIS_URL"]


async def note_task(_ctx: dict, number: int) -> int:
    """Note that it ran."""
    return note(number)


class WorkerSettings:
    """One slot a process. It polls: every 10 ms instead of the default 500, which would be all that is measured."""

    functions: ClassVar = [note_task]
    redis_settings = RedisSettings.from_dsn(URL)
    max_jobs = 1
    poll_delay = 0.01


def fill(count: int) -> None:
    """Enqueue jobs."""

    async def send() -> None:
        pool = await create_pool(RedisSettings.from_dsn(URL))
        for number in range(count):
            await pool.enqueue_job("note_task", number)
        await pool.aclose()

    asyncio.run(send())


def stored() -> int:
    """Return how many results there are."""
    return sum(1 for _ in redis.Redis.from_url(URL).scan_iter("arq:result:*", count=10_000))
