"""What clients see of jobs."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel, Field, JsonValue

from heavylift.model import Artifact, Attempt, Job, JobError, JobStatus, JobTypeInfo, Progress
from heavylift_api.errors import ProblemDocument


class ProgressView(Progress):
    """How far the running attempt is."""

    fraction: float | None = None
    """0 to 1, where the job gave a total."""

    @classmethod
    def of(cls, progress: Progress) -> ProgressView:
        """Return the view of a progress report."""
        fraction = min(max(progress.done / progress.total, 0.0), 1.0) if progress.total else None
        return cls(**progress.model_dump(), fraction=fraction)


class Timings(BaseModel):
    """Where the job's time went, in seconds."""

    waited_seconds: float | None = None
    """From the submit, or from when it was due, to its first start."""
    ran_seconds: float | None = None
    """Run time of the newest attempt, once the job has ended."""


class ArtifactView(BaseModel):
    """A file in or out of a job."""

    name: str
    role: str
    size: int
    """Bytes."""
    sha256: str
    content_type: str
    url: str

    @classmethod
    def of(cls, artifact: Artifact, job_id: str) -> ArtifactView:
        """Return the view of a job's artifact."""
        return cls(
            name=artifact.name,
            role=artifact.role,
            size=artifact.size,
            sha256=artifact.sha256,
            content_type=artifact.content_type,
            url=f"{job_path(job_id)}/artifacts/{quote(artifact.name)}",
        )


class JobUrls(BaseModel):
    """Where more of the job is found."""

    self: str
    events: str
    cancel: str
    artifacts: str


class JobSummary(BaseModel):
    """A job in a list."""

    id: str
    type: str
    queue: str
    status: JobStatus
    priority: str
    progress: ProgressView | None = None
    cancel_requested: bool = False
    max_attempts: int
    created_at: datetime
    run_at: datetime | None = None
    expires_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    timings: Timings
    error: JobError | None = None
    urls: JobUrls

    @classmethod
    def of(cls, job: Job) -> JobSummary:
        """Return the summary of a record."""
        return cls(**_summary(job))


class JobView(JobSummary):
    """A job."""

    position: int | None = None
    """How many jobs of the queue go before this one, while it waits. An estimate; null right after the submit."""
    attempts: list[Attempt] = []
    input: JsonValue = None
    output: JsonValue = None
    artifacts: list[ArtifactView] = []

    @classmethod
    def of(cls, job: Job) -> JobView:
        """Return the view of a whole record."""
        return cls(
            **_summary(job),
            position=job.position,
            attempts=job.attempts,
            input=job.input,
            output=job.output,
            artifacts=[ArtifactView.of(artifact, job.id) for artifact in job.artifacts],
        )


class JobPage(BaseModel):
    """Some jobs, newest first."""

    items: list[JobSummary]
    next_cursor: str | None = None
    """Give it as `cursor` to go on; null on the last page."""


class ReplayView(BaseModel):
    """What a replay by filter did."""

    replayed: int
    """Jobs that were queued again."""
    next_cursor: str | None = None
    """Give it as `cursor`, with the same filter, to go on; null when all failed jobs were looked at."""


class QueueView(BaseModel):
    """What a queue holds."""

    queue: str
    waiting: int
    running: int
    scheduled: int
    dead: int
    """Failed jobs, kept for replay."""
    oldest_age_seconds: float
    """How long ago the oldest waiting job was submitted; 0 if none waits."""
    bound: int | None
    """How many jobs may wait before submits are refused; null for no bound."""


class QueueList(BaseModel):
    """All queues."""

    items: list[QueueView]


class PoolSummary(BaseModel):
    """A pool of workers in a list: what it does and why, as of its last decision. null: it is not known."""

    pool: str
    queues: list[str]
    waiting: int | None
    running: int | None
    oldest_age_seconds: float | None
    """How long the oldest waiting job has been ready to run."""
    current: int
    """How many workers are asked for."""
    desired: int
    """How many are wanted."""
    ready: int
    """How many take jobs."""
    draining: list[str]
    """Workers that take no more jobs, since they are to go."""
    limiter: str
    """What makes the number what it is, in a word or two."""
    reason: str
    """The decision in a sentence."""
    note: str = ""
    """Why what is decided is not done, if so."""
    held_by: str = ""
    """Who holds the pool at a number; empty: nobody."""
    hold_until: datetime | None = None
    """When the hold ends by itself; null: when it is released."""
    paused: bool = False
    shadow: bool = False
    """Decided and told, not acted upon."""
    frozen: bool = False
    """Nothing is changed, since something could not be read."""
    target: str = ""
    """What is scaled."""
    decided_at: datetime
    age_seconds: float
    """How long ago that was."""
    stale: bool
    """It was longer ago than decisions are apart: nobody decides at present, and all of this may be out of date."""


class PoolChange(BaseModel):
    """A number of workers that was set, and why."""

    at: datetime
    before: int = Field(alias="from")
    after: int = Field(alias="to")
    reason: str


class PoolView(PoolSummary):
    """A pool of workers, with the record of its last decision."""

    inputs: dict[str, float | None] = {}
    """What was seen and learned; times are seconds."""
    terms: dict[str, int] = {}
    """The workers each consideration asks for."""
    last: list[PoolChange] = []
    """The newest changes, the newest first."""


class PoolList(BaseModel):
    """All pools."""

    items: list[PoolSummary]


class ScheduleView(BaseModel):
    """A recurring job."""

    name: str
    type: str
    queue: str
    cron: str
    time_zone: str
    input: JsonValue
    priority: str
    start_within_seconds: float | None
    next_run_at: datetime
    """When the next job is submitted; in the past while no controller runs."""


class ScheduleDetail(ScheduleView):
    """A recurring job and its coming runs."""

    next_runs: list[datetime]


class ScheduleList(BaseModel):
    """All recurring jobs, by name."""

    items: list[ScheduleView]


class BatchOutcome(StrEnum):
    """What became of a job of a batch."""

    ACCEPTED = "accepted"
    REPEATED = "repeated"
    """An earlier request with the same Idempotency-Key was accepted; `status` is the job's state by now."""
    REFUSED = "refused"
    UNCONFIRMED = "unconfirmed"
    """Redis did not say. Sent again under the same Idempotency-Key, the batch makes no job twice."""


class BatchCounts(BaseModel):
    """How many jobs of a batch had each outcome."""

    accepted: int
    repeated: int
    refused: int
    unconfirmed: int


class BatchResult(BaseModel):
    """What became of one job of a batch."""

    outcome: BatchOutcome
    id: str | None = None
    status: JobStatus | None = None
    urls: JobUrls | None = None
    problem: ProblemDocument | None = None
    """Why it was not accepted; its pointers begin at the request's body."""


class BatchView(BaseModel):
    """What became of a batch's jobs, in the order they were sent."""

    counts: BatchCounts
    results: list[BatchResult]


class ArtifactList(BaseModel):
    """A job's artifacts."""

    items: list[ArtifactView]


class JobTypeList(BaseModel):
    """What the workers serve."""

    items: list[JobTypeInfo]


def job_path(job_id: str) -> str:
    """Return the path of a job."""
    return f"/v1/jobs/{job_id}"


def job_urls(job_id: str) -> dict[str, str]:
    """Return the paths of a job, as JobUrls has them."""
    path = job_path(job_id)
    return {"self": path, "events": f"{path}/events", "cancel": f"{path}:cancel", "artifacts": f"{path}/artifacts"}


def _summary(job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "type": job.type,
        "queue": job.queue,
        "status": job.status,
        "priority": job.priority.name.lower(),
        "progress": ProgressView.of(job.progress) if job.progress else None,
        "cancel_requested": job.cancel_requested,
        "max_attempts": job.max_attempts,
        "created_at": job.created_at,
        "run_at": job.run_at,
        "expires_at": job.expires_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "timings": _timings(job),
        "error": job.error,
        "urls": job_urls(job.id),
    }


def _timings(job: Job) -> Timings:
    first_start = job.attempts[0].started_at if job.attempts else job.started_at
    due = max(job.created_at, job.run_at) if job.run_at else job.created_at
    waited = max((first_start - due).total_seconds(), 0.0) if first_start else None
    ended = job.finished_at is not None and job.started_at is not None
    ran = (job.finished_at - job.started_at).total_seconds() if ended else None
    return Timings(waited_seconds=waited, ran_seconds=ran)
