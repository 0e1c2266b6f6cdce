"""What the client raises.

ClientError
├── ApiUnreachable          no answer: nothing listens there, or the connection broke too often
├── WaitTimeout             the job had not ended in the time given
├── NoSuchArtifact          the job has no artifact of that name
├── DownloadCorrupted       the bytes received are not those the job's record promises
└── ApiError                the API answered with a problem (RFC 9457)
    ├── ApiUnavailable      5xx or 429, also after the waits it asked for
    ├── NotFound            404
    └── Refused             any other 4xx
        ├── Unauthorized    401 or 403
        └── Conflict        409
"""

# ruff: noqa: N818 - callers catch these by name: NotFound, Refused read as what happened

from __future__ import annotations

from pydantic import ValidationError

from heavylift.client.views import Problem
from heavylift.errors import HeavyliftError


class ClientError(HeavyliftError):
    """A call of the API did not succeed."""


class ApiUnreachable(ClientError):
    """The API gave no answer."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"No answer from {url} ({reason}). Is the API running there? `heavylift dev` starts one.")
        self.url = url


class WaitTimeout(ClientError):
    """The job had not ended in the time given; it goes on."""

    def __init__(self, job_id: str, seconds: float) -> None:
        super().__init__(f"Job {job_id} had not ended after {seconds:g} s. It goes on; wait again, or cancel it.")
        self.job_id = job_id


class NoSuchArtifact(ClientError):
    """The job has no artifact of that name."""

    def __init__(self, job_id: str, name: str, *, known: list[str]) -> None:
        super().__init__(f"Job {job_id} has no artifact {name!r}. It has: {', '.join(known) or 'none yet'}.")


class DownloadCorrupted(ClientError):
    """The bytes received are not those the job's record promises."""

    def __init__(self, name: str, *, expected: str, received: str) -> None:
        super().__init__(
            f"Artifact {name!r} arrived with SHA-256 {received}, its record says {expected}. Download it again; "
            "if that happens twice, the file in artifact storage was changed."
        )


class ApiError(ClientError):
    """The API answered with a problem."""

    def __init__(self, status: int, problem: Problem, *, retry_after: float | None = None) -> None:
        self.summary = problem.detail or problem.title or f"The API answered {status}."
        """The problem in a sentence, without the single fields."""
        super().__init__(" ".join([self.summary, *(f"{place}: {fault}" for place, fault in problem.faults())]))
        self.status = status
        self.problem = problem
        self.retry_after = retry_after
        """Seconds the API asks to wait before the next try."""


class ApiUnavailable(ApiError):
    """The API or something it needs is not available now; nothing was accepted."""


class NotFound(ApiError):
    """There is no such job, artifact or route."""


class Refused(ApiError):
    """The API understood the request and refuses it."""


class Unauthorized(Refused):
    """The API key is missing, unknown, or not allowed to do this."""


class Conflict(Refused):
    """The job's state does not allow this."""


_BY_STATUS: dict[int, type[ApiError]] = {
    401: Unauthorized,
    403: Unauthorized,
    404: NotFound,
    409: Conflict,
    429: ApiUnavailable,
}


def error_from(status: int, body: bytes, *, retry_after: float | None = None) -> ApiError:
    """Return the exception for an answer that is not a success."""
    try:
        problem = Problem.model_validate_json(body)
    except ValidationError:
        beginning = " ".join(body[:120].decode(errors="replace").split())
        title = f"The answer ({status}) is not that of a Heavylift API; check the URL. It begins: {beginning}"
        problem = Problem(title=title, status=status)
    fallback = ApiUnavailable if status >= 500 else Refused  # noqa: PLR2004
    return _BY_STATUS.get(status, fallback)(status, problem, retry_after=retry_after)
