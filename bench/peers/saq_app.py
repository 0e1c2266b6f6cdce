"""SAQ: at least once, by a sweep over what is active."""

from __future__ import annotations

import asyncio
import json
import os

import redis
from notes import note
from saq import Queue  # ty: ignore[import-not-found]

URL = os.environ["BENCH_REDIS_URL"]


async def note_task(_ctx: dict, *, number: int) -> int:
    """Note that it ran."""
    return note(number)


queue = Queue.from_url(URL)
settings = {"queue": queue, "functions": [note_task], "concurrency": 1}


def fill(count: int) -> None:
    """Enqueue jobs."""

    async def send() -> None:
        await queue.connect()
        for number in range(count):
            await queue.enqueue("note_task", number=number)
        await queue.disconnect()

    asyncio.run(send())


def stored() -> int:
    """Return how many jobs are complete: SAQ keeps the result in the job."""
    client = redis.Redis.from_url(URL)
    jobs = (client.execute_command("GET", key) for key in client.scan_iter("saq:job:*", count=10_000))
    return sum(job is not None and json.loads(job)["status"] == "complete" for job in jobs)
