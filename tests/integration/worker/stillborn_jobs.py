"""The sample jobs, in a worker whose children die when they read a job of one type, as one too large for them would."""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from typing import Self

from heavylift_worker import attempt, outcome
from tests.integration.worker.sample_jobs import add, hold

__all__ = ["add", "hold"]

outcome.STILLBORN_DELAY = timedelta(milliseconds=20)
outcome.STILLBORN_DELAY_MAX = timedelta(milliseconds=50)


class Deadly(attempt.Assignment):
    """An assignment that kills who unpickles it."""

    def __new__(cls, *fields: str) -> Self:
        if fields[3] == "sample.hold":
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__new__(cls, *fields)  # ty: ignore[invalid-argument-type]


def _in_child() -> None:
    attempt.Assignment = Deadly  # ty: ignore[invalid-assignment]


os.register_at_fork(after_in_child=_in_child)
