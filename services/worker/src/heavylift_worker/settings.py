"""Settings of a worker process, from the environment (prefix `HEAVYLIFT_`) and the command line."""

from __future__ import annotations

import os
import socket
from datetime import timedelta
from typing import Annotated

from pydantic import Field, field_validator, model_validator
from pydantic_settings import NoDecode

from heavylift.settings import Duration, EndpointSettings


class WorkerSettings(EndpointSettings):
    """What one worker serves and how it behaves."""

    worker_name: str = Field(
        default_factory=lambda: f"{socket.gethostname()}.{os.getpid()}", pattern=r"^[A-Za-z0-9_.@-]+$"
    )
    """Shown in a job's attempts. In a cluster the pod's name."""

    pool: str = ""
    """The pool it belongs to, by which the controller knows its workers; empty: to none."""

    queues: Annotated[tuple[str, ...], NoDecode] = ()
    """Queues in the order they are served; empty for those of all its job types."""

    concurrency: int = Field(default=1, ge=1, le=512)
    """Slots: jobs at a time, each in a child process of its own. Heavy jobs fill a core or a GPU each."""

    jobs: Annotated[tuple[str, ...], NoDecode] = ("heavylift_worker.jobs",)
    """Modules whose job types this worker serves."""

    preload: bool = False
    """Import the job types' `libraries` before forking: faster first jobs for a slower start and a larger parent."""

    grace: Duration = timedelta(seconds=60)
    """After SIGTERM running jobs may go on for so long; then they go back to the queue with no attempt counted."""

    stalled_after: Duration = timedelta(minutes=2)
    """How long its loops may take no turn before `/livez` fails. A silent name server costs a turn half a minute."""

    @model_validator(mode="after")
    def _outlast_tries(self) -> WorkerSettings:
        """Make sure that trying to reach Redis is no reason to be taken for stuck."""
        longest_try = (self.redis_connect_timeout + self.redis_timeout) * (len(self.redis_sentinels) + 1)
        if self.stalled_after < 2 * longest_try:
            raise ValueError(
                f"HEAVYLIFT_STALLED_AFTER is {self.stalled_after.total_seconds():g} s; allowed: at least"
                f" {2 * longest_try.total_seconds():g} s, twice what one try to reach Redis may take"
                " (HEAVYLIFT_REDIS_CONNECT_TIMEOUT and HEAVYLIFT_REDIS_TIMEOUT, for each sentinel too)"
            )
        return self

    @field_validator("queues", "jobs", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
