"""Job types of a team, mounted into a pool from a ConfigMap: each does one thing that heavy jobs do."""

# ruff: noqa: A002 - a job's second parameter is called input

from __future__ import annotations

import os
import time
from datetime import timedelta

from pydantic import BaseModel

from heavylift import JobContext, RetryPolicy, job

PATIENT = RetryPolicy(max_attempts=3, backoff=timedelta(0))


class Rest(BaseModel):
    seconds: float
    padding: str = ""


class Source(BaseModel):
    file: str


class Place(BaseModel):
    pod: str
    attempt: int


class Memory(BaseModel):
    mebibytes: int
    attempts: int = 1
    """How many attempts take it; the next one succeeds."""


class Size(BaseModel):
    mebibytes: int


def _here(ctx: JobContext) -> Place:
    return Place(pod=os.environ["HOSTNAME"], attempt=ctx.attempt)


@job("team.rest", queue="team", retry=PATIENT)
def rest(ctx: JobContext, input: Rest) -> Place:
    """Wait, and say each quarter of a second how long it has been."""
    end = time.monotonic() + input.seconds
    while (left := end - time.monotonic()) > 0:
        ctx.progress(input.seconds - left, input.seconds)
        time.sleep(min(0.25, left))
    return _here(ctx)


@job("team.devour", queue="team", retry=PATIENT)
def devour(ctx: JobContext, input: Memory) -> Place:
    """Take memory and use it, in the first attempts."""
    if ctx.attempt <= input.attempts:
        held = [os.urandom(1 << 20) for _ in range(input.mebibytes)]
        time.sleep(len(held))
    return _here(ctx)


@job("team.publish", queue="team", retry=PATIENT)
def publish(ctx: JobContext, input: Size) -> Place:
    """Publish a file."""
    ctx.artifact("large.bin", os.urandom(1 << 20) * input.mebibytes)
    return _here(ctx)


@job("team.swallow", queue="team", retry=PATIENT, file_field="file")
def swallow(ctx: JobContext, input: Source) -> Place:
    """Look at an uploaded file."""
    ctx.input_file(input.file).stat()
    return _here(ctx)
