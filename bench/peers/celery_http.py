"""A FastAPI application that hands requests to stock Celery, as its users write it."""

from __future__ import annotations

from typing import Any

from celery import Celery
from celery_app import URL, app, note_task
from fastapi import FastAPI
from pydantic import BaseModel

http = FastAPI()

without_results = Celery("bench-producer", broker=URL)
"""Sends to the same workers and cannot read results: no SUBSCRIBE and UNSUBSCRIBE with every task."""
without_results.conf.broker_transport_options = app.conf.broker_transport_options
quick_task = without_results.task(name=note_task.name)(note_task.run)


class JobIn(BaseModel):
    """The same request that Heavylift takes."""

    type: str
    input: dict[str, Any]


class Accepted(BaseModel):
    """The answer."""

    id: str


@http.post("/delay", status_code=202)
async def delay(job: JobIn) -> Accepted:
    """Send a task whose result the application can read."""
    return Accepted(id=note_task.delay(**job.input).id)


@http.post("/delay_without_results", status_code=202)
async def delay_without_results(job: JobIn) -> Accepted:
    """Send a task from a producer without result backend."""
    return Accepted(id=quick_task.delay(**job.input).id)


@http.post("/delay_in_thread", status_code=202)
def delay_in_thread(job: JobIn) -> Accepted:
    """Send a task from FastAPI's thread pool: the usual advice for calls that block."""
    return Accepted(id=note_task.delay(**job.input).id)


@http.post("/batch", status_code=202)
async def batch(jobs: list[JobIn]) -> list[Accepted]:
    """Send many tasks, one by one: Celery has no call for many."""
    return [Accepted(id=quick_task.delay(**job.input).id) for job in jobs]
