"""huey on Redis. It pops a job before it runs it: a killed worker loses it, at most once."""

from __future__ import annotations

import os

from huey import RedisHuey  # ty: ignore[import-not-found]
from notes import note

huey = RedisHuey("bench", url=os.environ["BENCH_REDIS_URL"])


@huey.task()
def note_task(number: int) -> int:
    """Note that it ran."""
    return note(number)


def fill(count: int) -> None:
    """Enqueue tasks."""
    for number in range(count):
        note_task(number)


def stored() -> int:
    """Return how many results there are."""
    return huey.result_count()
