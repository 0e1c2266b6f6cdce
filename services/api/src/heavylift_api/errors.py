"""Everything the API refuses, each with its RFC 9457 problem type.

Problem
├── 400 InvalidJson, InvalidMultipart
├── 401 Unauthorized            403 ForeignOrigin
├── 404 UnknownJob, UnknownArtifact, UnknownSchedule, UnknownPool
├── 408 BodyTooSlow             409 AlreadyEnded, NotFailed, UploadInProgress
├── 413 BodyTooLarge            415 UnsupportedMediaType
├── 416 RangeNotSatisfiable
├── 422 InvalidRequest, InvalidInput, InvalidBatch, UnknownJobType, TakesNoFile, KeyReused
├── 500 InternalError
└── 503 StoreGone, OutOfMemory, StorageGone, QueueBusy, TooManyStreams, TooManyUploads, NotReady
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, JsonValue

MEDIA_TYPE = "application/problem+json"


class FieldError(BaseModel):
    """One thing that is wrong with a request."""

    detail: str
    pointer: str | None = None
    """JSON Pointer (RFC 6901) into the request's body."""
    parameter: str | None = None
    """Name of the query, path or header parameter."""


class ProblemDocument(BaseModel):
    """A problem as RFC 9457 describes it."""

    model_config = ConfigDict(extra="allow")

    type: str = "about:blank"
    title: str
    status: int
    detail: str | None = None
    errors: list[FieldError] | None = None


class Problem(Exception):  # noqa: N818
    """A request was refused."""

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "internal-error"
    title: ClassVar[str] = "Something went wrong"
    headers: ClassVar[Mapping[str, str]] = {}

    def __init__(
        self,
        detail: str | None = None,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        **members: JsonValue,
    ) -> None:
        super().__init__(detail or self.__doc__)
        self.detail = detail or self.__doc__
        self.errors = list(errors)
        self.response_headers = {**self.headers, **(headers or {})}
        self.members = members

    @classmethod
    def type_uri(cls) -> str:
        """Return the problem type's URI."""
        return f"urn:heavylift:problem:{cls.slug}"

    def document(self) -> ProblemDocument:
        """Return what is sent."""
        return ProblemDocument(
            type=self.type_uri(),
            title=self.title,
            status=self.status,
            detail=self.detail,
            errors=self.errors or None,
            **self.members,
        )


class InvalidJson(Problem):
    """The body is not JSON."""

    status, slug, title = 400, "invalid-json", "Not JSON"


class InvalidMultipart(Problem):
    """The body is not the multipart form its Content-Type promises."""

    status, slug, title = 400, "invalid-multipart", "Malformed form"


class Unauthorized(Problem):
    """Send an API key as `Authorization: Bearer <key>`; the one sent, if any, is not known here."""

    status, slug, title = 401, "unauthorized", "API key needed"
    headers: ClassVar = {"WWW-Authenticate": 'Bearer realm="heavylift"'}


class ForeignOrigin(Problem):
    """Without API keys the API answers this machine only, under a loopback name, and no other site's pages."""

    status, slug, title = 403, "foreign-origin", "Not from here"


class UnknownJob(Problem):
    """There is no such job, or its retention is over."""

    status, slug, title = 404, "unknown-job", "No such job"


class UnknownArtifact(Problem):
    """The job has no artifact of that name."""

    status, slug, title = 404, "unknown-artifact", "No such artifact"


class UnknownSchedule(Problem):
    """There is no recurring job of that name."""

    status, slug, title = 404, "unknown-schedule", "No such schedule"


class UnknownPool(Problem):
    """There is no pool of that name; `known_pools` lists those there are."""

    status, slug, title = 404, "unknown-pool", "No such pool"


class BodyTooSlow(Problem):
    """The body did not arrive in time; send it again."""

    status, slug, title = 408, "body-too-slow", "Body too slow"


class AlreadyEnded(Problem):
    """The job has ended already; there is nothing to cancel."""

    status, slug, title = 409, "already-ended", "Job has ended"


class NotFailed(Problem):
    """Only a failed job can be replayed."""

    status, slug, title = 409, "not-failed", "Job has not failed"


class UploadInProgress(Problem):
    """An upload with this Idempotency-Key is under way; send the repetition when it has ended."""

    status, slug, title = 409, "upload-in-progress", "Upload in progress"
    headers: ClassVar = {"Retry-After": "5"}


class BodyTooLarge(Problem):
    """The body is larger than this server takes."""

    status, slug, title = 413, "body-too-large", "Body too large"


class UnsupportedMediaType(Problem):
    """Send JSON, with `Content-Type: application/json`."""

    status, slug, title = 415, "unsupported-media-type", "Unsupported media type"


class RangeNotSatisfiable(Problem):
    """The range lies outside the artifact."""

    status, slug, title = 416, "range-not-satisfiable", "Range not satisfiable"


class InvalidRequest(Problem):
    """The request does not have the form this route takes; `errors` says where."""

    status, slug, title = 422, "invalid-request", "Invalid request"


class InvalidInput(Problem):
    """The input does not fit the job type's schema; `errors` says where. `GET /v1/job-types` shows the schema."""

    status, slug, title = 422, "invalid-input", "Input does not fit the job type"


class InvalidBatch(Problem):
    """No job of the batch can be accepted; `errors` says where the first ones are wrong, `results` each of them."""

    status, slug, title = 422, "invalid-batch", "No valid job in the batch"


class UnknownJobType(Problem):
    """No worker has published this job type."""

    status, slug, title = 422, "unknown-job-type", "Unknown job type"


class TakesNoFile(Problem):
    """This job type takes no uploaded file; submit it with `POST /v1/jobs`."""

    status, slug, title = 422, "takes-no-file", "Job type takes no file"


class KeyReused(Problem):
    """This Idempotency-Key came with another request before; a new request needs a new key."""

    status, slug, title = 422, "idempotency-key-reused", "Idempotency-Key reused"


class InternalError(Problem):
    """The server made a mistake; its log says which. Trying again may help."""


class StoreGone(Problem):
    """Redis does not answer or takes no writes at the moment. Try again."""

    status, slug, title = 503, "store-unavailable", "Store unavailable"
    headers: ClassVar = {"Retry-After": "2"}


class OutOfMemory(Problem):
    """Redis has no memory left for new jobs; those it holds go on. Try again later."""

    status, slug, title = 503, "store-full", "Store is full"
    headers: ClassVar = {"Retry-After": "10"}


class StorageGone(Problem):
    """The artifact storage does not work at the moment. Try again."""

    status, slug, title = 503, "storage-unavailable", "Artifact storage unavailable"
    headers: ClassVar = {"Retry-After": "5"}


class QueueBusy(Problem):
    """The queue holds as many waiting jobs as it may. Try again later."""

    status, slug, title = 503, "queue-full", "Queue is full"
    headers: ClassVar = {"Retry-After": "5"}

    @classmethod
    def type_uri(cls) -> str:
        """Return the type that draft-ietf-httpapi-ratelimit-headers registers for a server short of capacity."""
        return "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity"


class TooManyStreams(Problem):
    """This server serves as many event streams as it may. Try again, or poll the job."""

    status, slug, title = 503, "too-many-streams", "Too many event streams"
    headers: ClassVar = {"Retry-After": "5"}


class TooManyUploads(Problem):
    """This server takes as many uploads as it may at the same time. Try again."""

    status, slug, title = 503, "too-many-uploads", "Too many uploads"
    headers: ClassVar = {"Retry-After": "5"}


class NotReady(Problem):
    """This server cannot take jobs at the moment."""

    status, slug, title = 503, "not-ready", "Not ready"
    headers: ClassVar = {"Retry-After": "1"}
