"""The pools of this installation: the file that the chart (or the stack of a laptop) writes, checked and typed.

The file is read again when it changes. A new one that is broken changes nothing: the pools go on as they were, and
`error` says what is wrong with it.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Self
from zoneinfo import ZoneInfo

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic.alias_generators import to_camel

from heavylift.errors import ConfigurationError
from heavylift.model import next_run
from heavylift_controller.scaling import PoolSettings, QueueTarget, Window

log = structlog.get_logger()

Count = Annotated[int, Field(ge=0)]
Name = Annotated[str, Field(min_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True, strict=True, allow_inf_nan=False
    )


class PoolQueue(_Part):
    """A queue that a pool serves."""

    target_wait_seconds: float = Field(default=30.0, gt=0)
    priority: int = 0
    expected_service_seconds: float = Field(default=10.0, gt=0)


class PoolWindow(_Part):
    """A time in which a pool keeps more workers ready."""

    cron: str
    duration_seconds: float = Field(gt=0)
    min: Count
    timezone: str = "UTC"

    @field_validator("cron")
    @classmethod
    def _check_cron(cls, cron: str) -> str:
        next_run(cron, ZoneInfo("UTC"), datetime.now(UTC))
        return cron

    @field_validator("timezone")
    @classmethod
    def _check_timezone(cls, timezone: str) -> str:
        try:
            ZoneInfo(timezone)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"{timezone!r} is not a time zone, such as Europe/Berlin") from error
        return timezone


class Pool(_Part):
    """A pool as the installation's settings have it."""

    deployment: str = ""
    """The Deployment that runs its workers; empty where there is none, as on a laptop."""
    resource: str = ""
    """The name of its WorkerPool."""
    queues: Mapping[Name, PoolQueue] = Field(min_length=1)
    slots: int = Field(default=1, ge=1)
    min: Count = 0
    max: int = Field(default=10, ge=1)
    min_idle: Count = 0
    windows: tuple[PoolWindow, ...] = ()
    manual_hold_seconds: float = Field(default=900.0, ge=0)
    """How long a number stands that somebody sets beside us."""
    shadow: bool = False
    """Decide and tell, and change nothing."""
    paused: bool = False
    freeze_in: bool = False
    freeze_out: bool = False
    guard: bool = False
    """The cluster lets only drained pods be deleted for a scale-in or a rollout, so these wait for us to drain."""

    @model_validator(mode="after")
    def _check_bounds(self) -> Self:
        if self.min > self.max:
            raise ValueError(f"min is {self.min}, max {self.max}; allowed: min up to max")
        return self

    @cached_property
    def settings(self) -> PoolSettings:
        """What the policy needs of it."""
        queues = {
            name: QueueTarget(queue.target_wait_seconds, queue.priority, queue.expected_service_seconds)
            for name, queue in self.queues.items()
        }
        return PoolSettings(
            queues,
            slots=self.slots,
            least=self.min,
            most=self.max,
            idle=self.min_idle,
            windows=tuple(Window(each.cron, each.duration_seconds, each.min, each.timezone) for each in self.windows),
            paused=self.paused,
            freeze_in=self.freeze_in,
            freeze_out=self.freeze_out,
        )


class _File(_Part):
    pools: Mapping[Name, Pool]


class Pools:
    """The pools by name, as the file last said. `refresh` may be called by one thread, `current` by any."""

    def __init__(self, path: Path) -> None:
        """Read the file. Raises ConfigurationError."""
        self._path = path
        self._lock = threading.Lock()
        self._version: tuple[int, ...] | None = None
        self.error: str = ""
        """What is wrong with the file as it is now, in words."""
        self.current: Mapping[str, Pool] = {}
        """The pools, as the newest file without an error had them."""
        self.refresh()
        self._check()

    def refresh(self) -> bool:
        """Read the file if it has changed; returns whether the pools have."""
        with self._lock:
            try:
                version = self._stamp()
                if version == self._version:
                    return False
                pools = parse(self._path.read_bytes())
            except OSError as error:
                # Not remembered as a version: a file that comes back is read, the same or not.
                self._version = None
                return self._refuse(f"{self._path}: {error.strerror or error}")
            except ValidationError as error:
                self._version = version
                return self._refuse(f"{self._path}: {told(error)}")
            changed = pools != self.current
            self._version, self.error, self.current = version, "", pools
            return changed

    def _check(self) -> None:
        if self.error:
            raise ConfigurationError(f"HEAVYLIFT_POOLS_FILE: {self.error}")

    def _stamp(self) -> tuple[int, ...]:
        """Return what differs once the file does. A mounted ConfigMap is replaced: another inode, maybe an old time."""
        stat = self._path.stat()
        return stat.st_ino, stat.st_mtime_ns, stat.st_size

    def _refuse(self, error: str) -> bool:
        if error != self.error:
            log.error("pools_file_refused", reason=error)
        self.error = error
        return False


def parse(text: bytes) -> Mapping[str, Pool]:
    """Return the pools of the file's text. Raises pydantic.ValidationError."""
    return MappingProxyType(dict(_File.model_validate_json(text).pools))


def told(error: ValidationError) -> str:
    """Return each thing that is wrong: where, and what is allowed."""
    return "; ".join(
        ".".join(map(str, each["loc"])) + ": " * bool(each["loc"]) + each["msg"].removeprefix("Value error, ")
        for each in error.errors(include_url=False, include_input=False)
    )
