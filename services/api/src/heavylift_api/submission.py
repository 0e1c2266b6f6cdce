"""From a request to an accepted job."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

import orjson
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from heavylift.errors import ArtifactStorageUnavailable, QueueFull, StoreFull, StoreUnavailable
from heavylift.ids import JobId, new_job_id
from heavylift.model import Artifact, Job, JobStatus, Priority
from heavylift.operations import Submission
from heavylift_api import metrics
from heavylift_api.errors import InvalidInput, InvalidRequest, OutOfMemory, Problem, QueueBusy, StorageGone, StoreGone
from heavylift_api.handlers import field_errors
from heavylift_api.idempotency import Idempotency, RequestKey
from heavylift_api.job_types import JobTypes, PublishedType
from heavylift_api.jobs import Jobs
from heavylift_api.memory import Memory
from heavylift_api.submitter import Submitter
from heavylift_api.views import ArtifactView, JobView, Timings, job_urls

MAX_DELAY_SECONDS = 10 * 365 * 24 * 3600


_NO_TIMINGS = Timings().model_dump()


class AcceptedJob(NamedTuple):
    """A job that was just accepted."""

    id: str
    body: bytes
    """JSON of its JobView."""


class JobRequest(BaseModel):
    """A job to run."""

    model_config = ConfigDict(extra="forbid")

    type: str = Field(min_length=1, max_length=200, examples=["video.transcode"])
    """What to run; `GET /v1/job-types` lists what there is."""
    input: Any = Field(default_factory=dict)
    """What to run it on, as the type's schema describes it."""
    priority: Literal["normal", "low", "bulk", "idle"] = "normal"
    run_at: AwareDatetime | None = None
    """Not before this time."""
    delay_seconds: float | None = Field(default=None, ge=0, le=MAX_DELAY_SECONDS)
    """Not before this many seconds from now."""
    expires_at: AwareDatetime | None = None
    """Drop the job if it has not started by then."""

    @model_validator(mode="after")
    def _check_times(self) -> JobRequest:
        if self.run_at is not None and self.delay_seconds is not None:
            raise ValueError("give `run_at` or `delay_seconds`, not both")
        return self

    def due(self, now: datetime) -> datetime | None:
        """Return when the job may start, if that is later than now."""
        due = self.run_at if self.delay_seconds is None else now + timedelta(seconds=self.delay_seconds)
        return due if due is not None and due > now else None


class BatchRequest(BaseModel):
    """Jobs to run."""

    model_config = ConfigDict(extra="forbid")

    items: list[JobRequest] = Field(min_length=1, max_length=10_000)


class Submissions:
    """Checks jobs and hands them to the store."""

    def __init__(
        self, types: JobTypes, submitter: Submitter, jobs: Jobs, idempotency: Idempotency, memory: Memory
    ) -> None:
        self._memory = memory
        self._types = types
        self._submitter = submitter
        self._jobs = jobs
        self._idempotency = idempotency

    async def submit(self, document: JsonValue, key: RequestKey | None = None) -> AcceptedJob:
        """Accept the job a request describes; with a key, once.

        Raises InvalidRequest, UnknownJobType, InvalidInput, KeyReused, QueueFull, StoreFull or StoreUnavailable.
        """
        with refusals_counted() as counted:
            self._memory.check()
            request = parse_request(document)
            published = await self._types.get(request.type)
            counted.type = request.type
            check_input(published, request.input)
            job_id = None
            if key is not None:
                payload = orjson.dumps(["submit", document], option=orjson.OPT_SORT_KEYS)
                job_id = await self._idempotency.job_id(key, payload, published.info)
            return await self.accept(published, request, job_id=job_id)

    async def accept(
        self,
        published: PublishedType,
        request: JobRequest,
        *,
        job_id: JobId | None = None,
        artifacts: Sequence[Artifact] = (),
    ) -> AcceptedJob:
        """Hand a checked job to the store; by the same id it is taken once. Raises QueueFull or StoreUnavailable."""
        job_id = job_id or new_job_id(published.info.queue)
        submission = to_submission(published, request, job_id, now=datetime.now(UTC), artifacts=artifacts)
        submitted = await self._submitter.submit(submission)
        metrics.SUBMITS.labels(published.info.type, "accepted" if submitted.created else "repeated").inc()
        if not submitted.created:
            return as_accepted(await self._jobs.read(submission.id))
        return _as_accepted(submission, request.input, created_ms=submitted.at)


def to_submission(
    published: PublishedType, request: JobRequest, job_id: JobId, *, now: datetime, artifacts: Sequence[Artifact] = ()
) -> Submission:
    """Return a checked job as the store takes it. Raises InvalidRequest if it expires before it may start."""
    run_at = request.due(now)
    _check_expiry(request.expires_at, run_at or now)
    return Submission(
        id=job_id,
        info=published.info,
        input=orjson.dumps(request.input),
        priority=Priority[request.priority.upper()],
        run_at=run_at,
        expires_at=request.expires_at,
        artifacts=artifacts,
    )


def as_accepted(job: Job) -> AcceptedJob:
    """Return a job as the answer to a repeated submit: as it is now."""
    return AcceptedJob(job.id, JobView.of(job).model_dump_json().encode())


def check_input(published: PublishedType, value: JsonValue) -> None:
    """Raise InvalidInput unless the input fits the type's schema."""
    errors = published.violations(value)
    if errors:
        raise InvalidInput(errors=errors)


@dataclass
class Counted:
    """Of which type the submit is that is being counted."""

    type: str = ""


@contextmanager
def refusals_counted() -> Generator[Counted]:
    """Count the refusal that leaves the block, by its problem."""
    counted = Counted()
    try:
        yield counted
    except Problem as problem:
        metrics.SUBMITS.labels(counted.type, problem.slug).inc()
        raise
    except QueueFull:
        metrics.SUBMITS.labels(counted.type, QueueBusy.slug).inc()
        raise
    except ArtifactStorageUnavailable:
        metrics.SUBMITS.labels(counted.type, StorageGone.slug).inc()
        raise
    except StoreFull:
        metrics.SUBMITS.labels(counted.type, OutOfMemory.slug).inc()
        raise
    except StoreUnavailable:
        metrics.SUBMITS.labels(counted.type, StoreGone.slug).inc()
        raise


def parse_request(document: JsonValue) -> JobRequest:
    """Return the request for a job that a document is. Raises InvalidRequest."""
    try:
        return JobRequest.model_validate(document)
    except ValidationError as error:
        raise InvalidRequest(errors=field_errors(error.errors(include_url=False, include_input=False))) from error


def _check_expiry(expires_at: datetime | None, start: datetime) -> None:
    if expires_at is not None and expires_at <= start:
        problem = "must lie behind the time the job may start"
        raise InvalidRequest(errors=field_errors([{"loc": ("expires_at",), "msg": problem}]))


def _as_accepted(submission: Submission, value: JsonValue, *, created_ms: int) -> AcceptedJob:
    """Return the job's view as the store would give it now, without asking and without models: this is the hot path."""
    job_id = str(submission.id)
    view = {
        "id": job_id,
        "type": submission.info.type,
        "queue": submission.id.queue,
        "status": JobStatus.SCHEDULED if submission.run_at else JobStatus.QUEUED,
        "priority": submission.priority.name.lower(),
        "progress": None,
        "cancel_requested": False,
        "max_attempts": submission.info.retry.max_attempts,
        "created_at": datetime.fromtimestamp(created_ms / 1000, UTC),
        "run_at": _as_kept(submission.run_at),
        "expires_at": _as_kept(submission.expires_at),
        "started_at": None,
        "finished_at": None,
        "timings": _NO_TIMINGS,
        "error": None,
        "urls": job_urls(job_id),
        "position": None,
        "attempts": (),
        "input": value,
        "output": None,
        "artifacts": [ArtifactView.of(artifact, job_id).model_dump() for artifact in submission.artifacts],
    }
    return AcceptedJob(job_id, orjson.dumps(view, option=orjson.OPT_UTC_Z))


def _as_kept(moment: datetime | None) -> datetime | None:
    """Return the moment as the store gives it back: in UTC, to the millisecond."""
    if moment is None:
        return None
    return moment.astimezone(UTC).replace(microsecond=moment.microsecond // 1000 * 1000)
