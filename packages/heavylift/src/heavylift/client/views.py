"""What the API answers, as typed values. Fields added to the API later are ignored by an older client."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, JsonValue

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
