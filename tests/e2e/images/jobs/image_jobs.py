"""Job types that the tests of the images mount into a worker."""

# ruff: noqa: A002 - a job's second parameter is called input

from __future__ import annotations

import os
import signal
import subprocess
from datetime import timedelta
from pathlib import Path

from pydantic import BaseModel

from heavylift import JobContext, RetryPolicy, job


class Orphans(BaseModel):
    count: int
    lost_attempts: int


class Nothing(BaseModel):
    pass


class Place(BaseModel):
    user: int
    home: str


@job("images.where", queue="images")
def where(ctx: JobContext, input: Nothing) -> Place:
    """Say as whom it runs and where it has written a file."""
    home = Path.home()
    (home / "written").write_text("yes")
    return Place(user=os.getuid(), home=str(home))


@job("images.orphans", queue="images", retry=RetryPolicy(max_attempts=9, backoff=timedelta(0)))
def leave_orphans(ctx: JobContext, input: Orphans) -> None:
    """In the first attempts, start processes and die before they do, as a job does that the kernel kills."""
    if ctx.attempt <= input.lost_attempts:
        for _ in range(input.count):
            subprocess.Popen(["/bin/sleep", "0.2"], start_new_session=True)
        os.kill(os.getpid(), signal.SIGKILL)
