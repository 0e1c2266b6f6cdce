"""The job types the fault suite runs."""

from __future__ import annotations

from datetime import timedelta

from pydantic import BaseModel

from heavylift import JobContext, RetryPolicy, job
from tests.faults import deeds
from tests.faults.deeds import Work

QUEUE = "faults"
SOON = timedelta(milliseconds=60)
MANY = RetryPolicy(max_attempts=50, backoff=SOON, backoff_max=timedelta(seconds=1))
"""Ordinary jobs may be hit by any number of faults: what is tested is that they run, not that they give up."""

FEW = RetryPolicy(max_attempts=3, backoff=SOON)


class Done(BaseModel):
    """The journal's token of the run whose end the store took."""

    token: str


def _do(ctx: JobContext, order: Work) -> Done:
    return Done(token=deeds.do(ctx.id, order, save=lambda content: ctx.artifact("out.bin", content)))


@job("faults.work", queue=QUEUE, retry=MANY)
def work(ctx: JobContext, order: Work) -> Done:
    """Work."""
    return _do(ctx, order)


@job("faults.neighbour", queue=QUEUE, retry=FEW)
def neighbour(ctx: JobContext, order: Work) -> Done:
    """Work, with as few attempts as a poison job has."""
    return _do(ctx, order)


@job("faults.poison", queue=QUEUE, retry=FEW)
def poison(ctx: JobContext, order: Work) -> None:
    """Kill the whole worker, every time."""
    deeds.kill_own_worker(ctx.id, order)


TYPES = {each.name: each.info() for each in (work, neighbour, poison)}
