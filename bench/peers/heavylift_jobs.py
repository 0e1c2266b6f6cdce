"""Heavylift's side: the job types, and how the bench fills the queue."""

# ruff: noqa: A002 - `input` is the parameter's name in the SDK

from __future__ import annotations

import functools
import os

from notes import note
from pydantic import BaseModel

from heavylift import JobContext, job
from heavylift import operations as ops
from heavylift.ids import new_job_id
from heavylift.settings import Settings
from heavylift.store import Store

QUEUE = "bench"
SCRIPT = 500
"""Jobs in one script call."""


class Number(BaseModel):
    """What a job is given, and gives back."""

    number: int
    seconds: float = 0.0
    padding: str = ""


class File(BaseModel):
    """An uploaded file."""

    source: str


@job("bench.note", queue=QUEUE)
def note_job(ctx: JobContext, input: Number) -> Number:  # noqa: ARG001 - the SDK's shape
    """Note that it ran."""
    return Number(number=note(input.number, input.seconds))


@job("bench.file", queue=QUEUE, file_field="source")
def file_job(ctx: JobContext, input: File) -> None:
    """Take a file."""
    ctx.log(input.source)


def store() -> Store:
    """Return the store of the bench's Redis."""
    return Store.from_settings(Settings(redis_url=os.environ["BENCH_REDIS_URL"]))


def submission(number: int, *, seconds: float = 0.0, padding: str = "") -> ops.Submission:
    """Return a job."""
    body = Number(number=number, seconds=seconds, padding=padding).model_dump_json(exclude_defaults=True).encode()
    return ops.Submission(id=new_job_id(QUEUE), info=INFO, input=body)


INFO = note_job.info()


def fill(count: int, padding: str = "") -> None:
    """Submit jobs, 500 in a script."""
    with_store = store()
    for start in range(0, count, SCRIPT):
        numbers = range(start, min(start + SCRIPT, count))
        jobs = [submission(number, padding=padding) for number in numbers]
        with_store.run(ops.submit(with_store.keys, QUEUE, jobs))


def stored() -> int:
    """Return how many jobs have succeeded."""
    with_store = store()
    return with_store.redis.execute_command("ZCARD", with_store.keys.index(QUEUE, "succeeded"))


@functools.cache
def _kept_store() -> Store:
    return store()


def submit(number: int, seconds: float) -> None:
    """Submit one job."""
    kept = _kept_store()
    kept.run(ops.submit(kept.keys, QUEUE, [submission(number, seconds=seconds)]))


def publish() -> None:
    """Publish the job types, as a worker does on start."""
    with_store = store()
    with_store.run(ops.publish_types(with_store.keys, [INFO, file_job.info()]))
