"""The controller's settings, read from the environment with the prefix `HEAVYLIFT_`."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field, field_validator, model_validator
from pydantic_settings import NoDecode

from heavylift.constants import LEASE_PERIOD
from heavylift.settings import Duration, EndpointSettings

LEAST_BEATS_PER_PERIOD = 3
"""A lease period in which fewer renewals fit would take jobs from workers that are merely busy."""


class ControllerSettings(EndpointSettings):
    """How patient the controller is, and how often it looks."""

    lease_period: Duration = Field(default=LEASE_PERIOD, gt=timedelta(0))
    """How long a lease may go unrenewed before its job runs again. Longer, where whole nodes freeze for a while."""

    controller_tick: Duration = Field(default=timedelta(seconds=1), gt=timedelta(0), le=timedelta(seconds=60))
    """How often leases and queues are read, and the longest the scheduler sleeps. A few commands a queue each time."""

    sweep_interval: Duration = Field(default=timedelta(seconds=60), gt=timedelta(0))
    """How often finished jobs past their retention are looked for. Retention is days; a minute more is no harm."""

    queues: Annotated[tuple[str, ...], NoDecode] = ()
    """Queues to look after before any worker has published a job type of theirs, such as those of pools at zero."""

    @field_validator("queues", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check_patience(self) -> ControllerSettings:
        least = LEAST_BEATS_PER_PERIOD * max(self.heartbeat_interval, self.controller_tick)
        if self.lease_period < least:
            raise ValueError(
                f"HEAVYLIFT_LEASE_PERIOD is {self.lease_period.total_seconds():g} s; allowed: at least"
                f" {least.total_seconds():g} s, {LEAST_BEATS_PER_PERIOD} times the longer of"
                " HEAVYLIFT_HEARTBEAT_INTERVAL and HEAVYLIFT_CONTROLLER_TICK"
            )
        return self
