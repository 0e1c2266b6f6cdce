"""What an exception out of job code means for the job."""

from __future__ import annotations

import random
import traceback
from asyncio import CancelledError
from datetime import timedelta

from pydantic import ValidationError

from heavylift import JobCancelled, JobFailed, JobRetry, JobType
from heavylift.errors import ArtifactNotFound, InvalidArtifactName, SoftTimeLimitExceeded
from heavylift.model import TERMINAL, JobError, RetryPolicy
from heavylift.operations import Ending, Finished, Outcome

LEASE_LOST = "lease_lost"
HUNG = "hung"
OUTCOMES = (*Outcome, LEASE_LOST, HUNG)
"""What metrics tell apart: how the store has an attempt end, and what no ending of its own is."""

EXCEPTION = "exception"
"""The type of an error that no rule names."""

MAX_DETAIL = 20_000
"""Characters of a traceback that are kept, its end: the record lies in Redis's memory."""

MAX_MESSAGE = 2_000

STILLBORN_DELAY = timedelta(seconds=1)
STILLBORN_DELAY_MAX = timedelta(seconds=30)
STILLBORN_COUNTED_FROM = 10
"""From so many in a row on it counts: their delays add up to 151 s, which outlasts a short want of memory."""

CERTAIN = (ArtifactNotFound, InvalidArtifactName)
"""What another attempt would only find again."""


def ending_of(error: BaseException, job_type: JobType, *, attempt: int, stopping: bool) -> Ending:
    """Return how an attempt ends that raised `error`. `stopping`: somebody had asked it to stop."""
    if isinstance(error, JobCancelled | CancelledError):
        # Asked to stop by a cancel or by the worker's end: the script knows which, and cancels or queues the job.
        return (
            Ending(Outcome.RELEASED, reason="stopped") if stopping else Ending(Outcome.CANCELLED, reason="by the job")
        )
    if isinstance(error, JobFailed):
        return Ending(Outcome.FAILED, error=describe(error, "failed", detail=False), reason=_short(error))
    if isinstance(error, JobRetry):
        delay = error.delay if error.delay is not None else backoff(job_type.retry, attempt)
        return Ending(Outcome.RETRYING, error=describe(error, "retry", detail=False), reason=_short(error), delay=delay)
    failure = describe(error, _kind(error))
    if not isinstance(error, CERTAIN) and isinstance(error, (*job_type.retry_on, MemoryError)):
        return Ending(Outcome.RETRYING, error=failure, reason=failure.message, delay=backoff(job_type.retry, attempt))
    return Ending(Outcome.FAILED, error=failure, reason=failure.message)


def invalid_input(error: ValidationError) -> Ending:
    """Return the end of an attempt whose input the job type does not take. It is final: the input will not change."""
    facts = "; ".join(f"{'/'.join(map(str, each['loc'])) or 'input'}: {each['msg']}" for each in error.errors())
    message = printable(f"The input does not fit the job type: {facts}")[:MAX_MESSAGE]
    failure = JobError(type="invalid_input", message=message)
    return Ending(Outcome.FAILED, error=failure, reason="invalid input", ran=False)


def describe(error: BaseException, kind: str, *, detail: bool = True) -> JobError:
    """Return the error as the record keeps it."""
    text = printable("".join(traceback.format_exception(error)))[-MAX_DETAIL:] if detail else None
    return JobError(type=kind, message=_named(error) if kind == EXCEPTION else _short(error), detail=text)


def printable(text: str) -> str:
    r"""Return the text as UTF-8 can hold it: a file name that is none is spoken of as `film\udcff.mp4`."""
    return text.encode("utf-8", "backslashreplace").decode()


def unwritable(error: Exception) -> Ending:
    """Return how an attempt ends whose own ending the store does not take. It is final: it would be so again."""
    message = f"The attempt's end could not be written: {_named(error)}"[:MAX_MESSAGE]
    return Ending(Outcome.FAILED, error=JobError(type="unwritable_end", message=message), reason="unwritable end")


def stillborn(times: int) -> Ending:
    """Return how an attempt ends whose process died before it began, for the `times`-th time in a row.

    The job is not to blame, so none is counted; but where it never ends, the job's attempts must.
    """
    delay = min(STILLBORN_DELAY * 2 ** min(times - 1, 30), STILLBORN_DELAY_MAX)
    if times < STILLBORN_COUNTED_FROM:
        return Ending(Outcome.RELEASED, reason="its process died before it began", delay=delay)
    error = JobError(type="lost", message=f"Its worker's processes die before they begin it: {times} in a row.")
    return Ending(Outcome.LOST, error=error, reason="its process died before it began")


def reported(ending: Ending, finished: Finished) -> str:
    """Return how an attempt ended after all: one that may not be retried any more has failed."""
    if not finished.written:
        return LEASE_LOST
    return finished.status if finished.status in TERMINAL else ending.outcome.value


def backoff(policy: RetryPolicy, attempt: int) -> timedelta:
    """Return a delay with full jitter: uniform up to a bound that doubles with every attempt.

    Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    bound = min(policy.backoff * 2 ** min(attempt - 1, 30), policy.backoff_max)
    return bound * random.random()  # noqa: S311 - spreads load, guards nothing


def _kind(error: BaseException) -> str:
    if isinstance(error, SoftTimeLimitExceeded):
        return "time_limit"
    if isinstance(error, MemoryError):
        return "out_of_memory"
    return EXCEPTION


def _named(error: BaseException) -> str:
    """Return the message with the exception's name, without which `'width'` says nothing."""
    name, text = type(error).__name__, _short(error)
    return name if text == name else f"{name}: {text}"[:MAX_MESSAGE]


def _short(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - a job's own exception class may fail in its own __str__
        text = ""
    return printable(text or type(error).__name__)[:MAX_MESSAGE]
