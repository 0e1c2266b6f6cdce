"""What a job is: its states, its record and its events, as both sides and the client see them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, model_validator


class JobStatus(StrEnum):
    """A job's state. `scheduled → queued → running → succeeded | failed | cancelled | expired`."""

    SCHEDULED = "scheduled"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @property
    def terminal(self) -> bool:
        """Tell whether the job has ended; only a replay leaves such a state."""
        return self in TERMINAL


TERMINAL = frozenset({JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.EXPIRED})


class Priority(IntEnum):
    """Kombu's priority steps on Redis: 0 is served first.

    Normal is first, because stock producers, KEDA and Flower know a queue by the list of step 0. A job can give way,
    not push ahead: urgent work gets a queue of its own, which its pool serves first.
    """

    NORMAL = 0
    LOW = 3
    BULK = 6
    IDLE = 9


class RetryPolicy(BaseModel):
    """When and how often a failed attempt is tried again: exponential backoff with full jitter."""

    model_config = ConfigDict(frozen=True)

    max_attempts: int = Field(default=3, ge=1, le=100)
    backoff: timedelta = timedelta(seconds=2)
    """Upper bound of the first delay; it doubles with every attempt. The delay is uniform in [0, bound]."""
    backoff_max: timedelta = timedelta(minutes=10)


class Progress(BaseModel):
    """How far a running attempt is, as its code last said."""

    done: float
    total: float | None = None
    message: str | None = None
    at: AwareDatetime


class Artifact(BaseModel):
    """A file in or out of a job. `key` is its place in artifact storage; users know it by `name`."""

    name: str
    key: str
    size: int
    """Bytes."""
    sha256: str
    content_type: str = "application/octet-stream"
    role: str = "output"
    """`input` (came with the submit) or `output` (published by the attempt that finished)."""


class JobError(BaseModel):
    """Why an attempt or a job failed, in words for the person who sent it in."""

    type: str
    """A stable name: `failed` (the job said so), `exception`, `time_limit`, `lost`, `out_of_memory`, `killed`, …"""
    message: str
    detail: str | None = None
    """Traceback, for the job's author."""


class Event(BaseModel):
    """One entry of a job's history. `id` counts from 1 without gaps."""

    id: int
    event: str
    """The state entered (`queued`, `running`, …), or `retrying`, `lost`, `released`, `cancel_requested`, `log`."""
    at: AwareDatetime
    attempt: int | None = None
    worker: str | None = None
    reason: str | None = None
    message: str | None = None
    data: dict[str, JsonValue] | None = None


class Attempt(BaseModel):
    """One run of the job's code, derived from the events."""

    number: int
    worker: str
    started_at: datetime
    ended_at: datetime | None = None
    outcome: str | None = None
    """`succeeded`, `failed`, `retrying`, `lost`, `cancelled`, `released`; None while it runs."""
    reason: str | None = None
    cpu_seconds: float | None = None
    max_rss_bytes: int | None = None
    exit_signal: str | None = None


class Job(BaseModel):
    """A job's record as read from the store."""

    id: str
    type: str
    queue: str
    status: JobStatus
    priority: Priority = Priority.NORMAL
    position: int | None = None
    """How many jobs of the queue go before this one, while it waits. An estimate: retries and replays may overtake."""
    progress: Progress | None = None
    max_attempts: int
    attempts: list[Attempt] = []
    cancel_requested: bool = False
    created_at: datetime
    run_at: datetime | None = None
    expires_at: datetime | None = None
    started_at: datetime | None = None
    """Start of the newest attempt."""
    finished_at: datetime | None = None
    input: JsonValue = None
    output: JsonValue = None
    error: JobError | None = None
    artifacts: list[Artifact] = []


class Schedule(BaseModel):
    """A recurring job: a cron expression in a time zone, and what is submitted each time."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,99}$")
    type: str
    cron: str
    """Five fields as in crontab(5): minute, hour, day of month, month, day of week."""
    time_zone: str = "UTC"
    """A name of the IANA time zone database, such as `Europe/Berlin`. Around a change of clocks Debian's rules hold:
    a skipped time runs right after the change, a repeated one once."""
    input: JsonValue = {}
    priority: Priority = Priority.NORMAL
    start_within: timedelta | None = None
    """A run that no worker has started for so long expires, instead of piling up on the next."""

    @model_validator(mode="after")
    def _has_a_next_run(self) -> Schedule:
        self.next_after(datetime.now(UTC))
        return self

    def next_after(self, moment: datetime) -> datetime:
        """Return the first run after the moment.

        Raises
        ------
        ValueError
            The cron expression or the time zone is none, or no such date ever comes.

        """
        return next_run(self.cron, zone_of(self.time_zone), moment)


def zone_of(name: str) -> ZoneInfo:
    """Return the time zone of that name. Raises ValueError."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: the name is that of a folder
        raise ValueError(f"{name!r} is not a time zone; one looks like Europe/Berlin") from error


def next_run(cron: str, zone: ZoneInfo, moment: datetime) -> datetime:
    """Return the first time after the moment that the cron expression names. Raises ValueError if there is none."""
    try:
        return next(CronSim(cron, moment.astimezone(zone))).astimezone(UTC)
    except CronSimError as error:
        if not _is_of_other_months(cron, error):
            raise ValueError(
                f"{cron!r} is not a cron expression ({str(error).lower()}): it takes five fields, minute (0-59),"
                " hour (0-23), day of month (1-31), month (1-12) and day of week (0-7), such as '30 2 * * *'"
            ) from error
        raise ValueError(f"{cron!r} names a date that never comes") from error
    except StopIteration as error:
        raise ValueError(f"{cron!r} names a date that never comes") from error


def _is_of_other_months(cron: str, error: CronSimError) -> bool:
    """Tell whether it is refused only since its months lack its days, of which cronsim says no more than of day 32."""
    if str(error) != "Bad day-of-month":
        return False
    *before, _month, weekday = cron.split()
    try:
        CronSim(" ".join([*before, "*", weekday]), datetime.now(UTC))
    except CronSimError:
        return False
    return True


class JobTypeInfo(BaseModel):
    """What a worker publishes about a job type, so that the API validates without the job's code."""

    type: str
    queue: str
    description: str = ""
    input_schema: dict[str, Any]
    output_schema: dict[str, Any]
    retry: RetryPolicy = RetryPolicy()
    soft_time_limit: timedelta | None = None
    time_limit: timedelta | None = None
    retention: timedelta = timedelta(days=7)
    """How long a finished job's record, events and artifacts are kept."""
    file_field: str | None = None
    """The input field that takes an uploaded file's artifact key, where the type takes one."""


class PoolAction(StrEnum):
    """What a person may order about a pool."""

    HOLD = "hold"
    RELEASE = "release"
    PAUSE = "pause"
    RESUME = "resume"
    FREEZE_IN = "freeze-in"
    FREEZE_OUT = "freeze-out"
    THAW = "thaw"
