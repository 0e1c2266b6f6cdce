"""The controller's settings, read from the environment with the prefix `HEAVYLIFT_`."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator, model_validator
from pydantic_settings import NoDecode

from heavylift.constants import LEASE_PERIOD
from heavylift.settings import Duration, EndpointSettings

LEAST_BEATS_PER_PERIOD = 3
"""A lease period in which fewer renewals fit would take jobs from workers that are merely busy."""


class Scaling(StrEnum):
    """Who sets the number of workers."""

    OFF = "off"
    KUBERNETES = "kubernetes"
    KEDA = "keda"
    LOCAL = "local"


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

    scaling: Scaling = Scaling.OFF
    """Whether it sets the number of workers: in a cluster, there with KEDA scaling out, or of this machine."""

    pools_file: Path | None = None
    """JSON file of the pools, needed for scaling; the chart writes it. Read again when it changes."""

    namespace: str = ""
    """Where the pools' Deployments are; empty for the namespace of the controller's own service account."""

    scaling_lease: str = Field(default="heavylift-scaling", min_length=1)
    """Name of the Lease by which one of several controllers is the one that scales."""

    scaling_tick: Duration = Field(
        default=timedelta(seconds=1), ge=timedelta(milliseconds=100), le=timedelta(seconds=2)
    )
    """How often pools are decided upon, and at once when a job comes into an empty queue. Data is stale after 3 s."""

    keda_port: int = Field(default=9091, ge=0, le=65535)
    """Port on which KEDA asks for the number of workers (gRPC), where `HEAVYLIFT_SCALING` is `keda`."""

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

    @model_validator(mode="after")
    def _check_scaling(self) -> ControllerSettings:
        if self.scaling is not Scaling.OFF and self.pools_file is None:
            raise ValueError(f"HEAVYLIFT_POOLS_FILE: HEAVYLIFT_SCALING={self.scaling} needs the file of the pools")
        return self
