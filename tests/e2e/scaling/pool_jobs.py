"""The job type of a scaling test's pool, mounted from a ConfigMap: it is written down outside what is tested."""

# ruff: noqa: A002 - a job's second parameter is called input

from __future__ import annotations

import os
import time
from datetime import timedelta

import redis
from pydantic import BaseModel

from heavylift import JobContext, RetryPolicy, job

QUEUE = os.environ["POOL_QUEUE"]
"""Each pool has a queue and a job type of its own."""

RETRY = RetryPolicy(max_attempts=3, backoff=timedelta(0))
"""A job that was interrupted runs again: then the ledger has it twice."""


class Rest(BaseModel):
    seconds: float


class Place(BaseModel):
    pod: str
    attempt: int


@job(f"{QUEUE}.rest", queue=QUEUE, retry=RETRY)
def rest(ctx: JobContext, input: Rest) -> Place:
    """Wait; count the begin and the end."""
    with redis.Redis(host="ledger") as ledger:
        ledger.hincrby("began", ctx.id)
        time.sleep(input.seconds)
        ledger.hincrby("ended", ctx.id)
    return Place(pod=os.environ["HOSTNAME"], attempt=ctx.attempt)
