"""What the API answers, as typed values. Fields added to the API later are ignored by an older client."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from heavylift.model import Attempt, JobError, JobStatus, Progress


class ProgressView(Progress):
    """How far the running attempt is."""

    fraction: float | None = None
    """0 to 1, where the job knows its total."""


class Timings(BaseModel):
    """Where the job's time went, in seconds."""

    waited_seconds: float | None = None
    ran_seconds: float | None = None


class ArtifactView(BaseModel):
    """A file in or out of a job."""

    name: str
    role: str
    size: int
    """Bytes."""
    sha256: str
    content_type: str
    url: str


class JobView(BaseModel):
    """A job as the API shows it."""

    id: str
    type: str
    queue: str
    status: JobStatus
    priority: str | int
    position: int | None = None
    """How many jobs of the queue go before this one, while it waits."""
    progress: ProgressView | None = None
    cancel_requested: bool = False
    max_attempts: int | None = None
    attempts: list[Attempt] = []
    created_at: datetime
    run_at: datetime | None = None
    expires_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    timings: Timings | None = None
    input: JsonValue = None
    output: JsonValue = None
    error: JobError | None = None
    artifacts: list[ArtifactView] = []

    def artifact(self, name: str) -> ArtifactView | None:
        """Return the artifact of that name, if the job has one."""
        return next((artifact for artifact in self.artifacts if artifact.name == name), None)

    @property
    def outputs(self) -> list[ArtifactView]:
        """The files the job made."""
        return [artifact for artifact in self.artifacts if artifact.role == "output"]


class JobPage(BaseModel):
    """Some jobs, newest first."""

    items: list[JobView]
    next_cursor: str | None = None


class Problem(BaseModel):
    """An RFC 9457 problem document."""

    model_config = ConfigDict(extra="allow")

    type: str = "about:blank"
    title: str = ""
    status: int | None = None
    detail: str | None = None
    errors: list[JsonValue] | None = None
    """Which fields are wrong, as JSON pointers, where the input was refused."""

    def faults(self) -> list[tuple[str, str]]:
        """Return what is wrong field by field: a JSON pointer or parameter, and a sentence."""
        found = [error for error in self.errors or [] if isinstance(error, dict)]
        return [
            (str(each.get("pointer") or each.get("parameter") or "body"), str(each.get("detail"))) for each in found
        ]


class BatchResult(BaseModel):
    """What became of one job of a batch."""

    outcome: str
    """`accepted`; `repeated` (an earlier try was accepted); `refused`; `unconfirmed` (Redis did not say)."""
    id: str | None = None
    status: JobStatus | None = None
    problem: Problem | None = None
    """Why it was not accepted; its pointers begin at `/items/<index>`."""

    @property
    def accepted(self) -> bool:
        """Whether the job is in."""
        return self.outcome in {"accepted", "repeated"}


class Batch(BaseModel):
    """What became of a batch's jobs, in the order they were sent."""

    counts: dict[str, int]
    results: list[BatchResult]

    @property
    def refused(self) -> list[BatchResult]:
        """Those that are not in, or perhaps not."""
        return [result for result in self.results if not result.accepted]


class Replayed(BaseModel):
    """What a replay by filter did."""

    replayed: int
    next_cursor: str | None = None
    """Goes on with the same filter; None when all failed jobs were looked at."""


class QueueView(BaseModel):
    """What a queue holds. `dead` are failed jobs, kept for replay."""

    queue: str
    waiting: int
    running: int
    scheduled: int
    dead: int
    oldest_age_seconds: float
    bound: int | None = None


class PoolChange(BaseModel):
    """A number of workers that was set, and why."""

    model_config = ConfigDict(serialize_by_alias=True)

    at: datetime
    before: int = Field(alias="from")
    after: int = Field(alias="to")
    reason: str


class PoolView(BaseModel):
    """What a pool of workers does and why, as of its last decision. None: it is not known."""

    pool: str
    queues: list[str]
    waiting: int | None = None
    running: int | None = None
    oldest_age_seconds: float | None = None
    current: int
    """How many workers are asked for."""
    desired: int
    """How many are wanted."""
    ready: int
    """How many take jobs."""
    draining: list[str] = []
    """Workers that take no more jobs, since they are to go."""
    limiter: str
    reason: str
    """The decision in a sentence."""
    note: str = ""
    """Why what is decided is not done, if so."""
    held_by: str = ""
    """Who holds the pool at a number; empty: nobody."""
    hold_until: datetime | None = None
    paused: bool = False
    shadow: bool = False
    """Decided and told, not acted upon."""
    frozen: bool = False
    target: str = ""
    decided_at: datetime
    age_seconds: float
    stale: bool
    """Nobody decides at present, and all of this may be out of date."""
    inputs: dict[str, float | None] = {}
    """What was seen and learned; empty in a list of pools."""
    terms: dict[str, int] = {}
    """The workers each consideration asks for; empty in a list of pools."""
    last: list[PoolChange] = []
    """The newest changes first; empty in a list of pools."""


class ScheduleView(BaseModel):
    """A recurring job."""

    name: str
    type: str
    queue: str
    cron: str
    time_zone: str
    input: JsonValue = None
    priority: str
    start_within_seconds: float | None = None
    next_run_at: datetime
    next_runs: list[datetime] = []
    """The coming runs; empty in a list of schedules."""


class JobEvent(BaseModel):
    """One entry of a job's history, or a sign of progress (`event` is `progress`, without an id)."""

    event: str
    id: int | None = None
    at: datetime | None = None
    attempt: int | None = None
    worker: str | None = None
    reason: str | None = None
    message: str | None = None
    data: dict[str, JsonValue] | None = None
    progress: ProgressView | None = None

    @property
    def ends_the_job(self) -> bool:
        """Whether the job entered a terminal state with this event."""
        return self.event in _TERMINAL


_TERMINAL = frozenset(status.value for status in JobStatus if status.terminal)
