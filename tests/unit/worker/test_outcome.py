"""What an exception out of job code means for the job."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import orjson
import pytest
from pydantic import BaseModel, ValidationError

from heavylift import JobCancelled, JobContext, JobFailed, JobRetry, JobType, RetryPolicy, SoftTimeLimitExceeded, job
from heavylift.errors import ArtifactNotFound, InvalidArtifactName, LeaseLost
from heavylift.operations import Outcome
from heavylift_worker.outcome import MAX_DETAIL, MAX_MESSAGE, backoff, ending_of, invalid_input, stillborn


class Sizes(BaseModel):
    sizes: list[int]


def _type(retry_on: tuple[type[BaseException], ...] = (Exception,)) -> JobType:
    @job("sample.any", retry_on=retry_on)
    def run(ctx: JobContext, input: Sizes) -> None:  # noqa: A002 - a job's second parameter is called input
        """Do nothing."""

    return run


@pytest.mark.parametrize(
    ("error", "outcome", "kind"),
    [
        (JobFailed("no"), Outcome.FAILED, "failed"),
        (JobRetry("later"), Outcome.RETRYING, "retry"),
        (ValueError("no"), Outcome.RETRYING, "exception"),
        (LeaseLost(), Outcome.RETRYING, "exception"),
        (ArtifactNotFound("gone"), Outcome.FAILED, "exception"),
        (InvalidArtifactName("../x"), Outcome.FAILED, "exception"),
        (SoftTimeLimitExceeded(), Outcome.RETRYING, "time_limit"),
        (MemoryError(), Outcome.RETRYING, "out_of_memory"),
        (SystemExit(1), Outcome.FAILED, "exception"),
        (KeyboardInterrupt(), Outcome.FAILED, "exception"),
        (ExceptionGroup("two", [ValueError("a")]), Outcome.RETRYING, "exception"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_kind_of_exception_decides(error: BaseException, outcome: Outcome, kind: str) -> None:
    ending = ending_of(error, _type(), attempt=1, stopping=False)
    assert ending.error
    assert (ending.outcome, ending.error.type) == (outcome, kind)


@pytest.mark.parametrize("error", [JobCancelled(), asyncio.CancelledError()], ids=lambda error: type(error).__name__)
def test_who_was_asked_to_stop_is_released_and_who_stops_by_itself_is_cancelled(error: BaseException) -> None:
    assert ending_of(error, _type(), attempt=1, stopping=True).outcome is Outcome.RELEASED
    assert ending_of(error, _type(), attempt=1, stopping=False).outcome is Outcome.CANCELLED


def test_an_error_outside_retry_on_is_final_but_memory_may_be_there_next_time() -> None:
    only_os = _type((OSError,))
    assert ending_of(ValueError("no"), only_os, attempt=1, stopping=False).outcome is Outcome.FAILED
    assert ending_of(ConnectionError("no"), only_os, attempt=1, stopping=False).outcome is Outcome.RETRYING
    assert ending_of(MemoryError(), only_os, attempt=1, stopping=False).outcome is Outcome.RETRYING


def test_a_retry_takes_its_own_delay() -> None:
    ending = ending_of(JobRetry("later", delay=timedelta(minutes=5)), _type(), attempt=1, stopping=False)
    assert ending.delay == timedelta(minutes=5)


def test_what_is_kept_of_an_error_is_bounded_and_ends_with_its_cause() -> None:
    ending = ending_of(ValueError("x" * 100_000), _type(), attempt=1, stopping=False)

    assert ending.error
    assert ending.error.detail
    assert (len(ending.error.message), len(ending.error.detail)) == (MAX_MESSAGE, MAX_DETAIL)


class SpeechlessError(Exception):
    """Cannot say what it is."""

    def __str__(self) -> str:
        raise KeyError("text")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError("no film\udcff.mp4"), "OSError: no film\\udcff.mp4"),
        (JobFailed("no film\udcff.mp4"), "no film\\udcff.mp4"),
        (SpeechlessError(), "SpeechlessError"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_an_error_says_can_be_written(error: Exception, message: str) -> None:
    ending = ending_of(error, _type(), attempt=1, stopping=False)

    assert ending.error
    assert ending.reason == ending.error.message == message
    orjson.dumps(ending.error.model_dump())


def test_a_sentence_for_the_user_comes_without_a_traceback() -> None:
    ending = ending_of(JobFailed("The film has no pictures."), _type(), attempt=1, stopping=False)
    assert ending.error
    assert (ending.error.message, ending.error.detail) == ("The film has no pictures.", None)


def test_an_invalid_input_says_where() -> None:
    with pytest.raises(ValidationError) as caught:
        Sizes.model_validate({"sizes": [1, "two"]})
    ending = invalid_input(caught.value)

    assert ending.outcome is Outcome.FAILED
    assert ending.error
    assert "sizes/1: Input should be a valid integer" in ending.error.message


@pytest.mark.parametrize(
    ("times", "outcome", "seconds"),
    [
        (1, Outcome.RELEASED, 1),
        (2, Outcome.RELEASED, 2),
        (5, Outcome.RELEASED, 16),
        (6, Outcome.RELEASED, 30),
        (9, Outcome.RELEASED, 30),
        (10, Outcome.LOST, 0),
        (500, Outcome.LOST, 0),
    ],
)
def test_a_process_that_dies_before_it_begins_is_uncounted_nine_times(
    times: int, outcome: Outcome, seconds: float
) -> None:
    ending = stillborn(times)
    assert (ending.outcome, ending.delay.total_seconds()) == (outcome, seconds)


@pytest.mark.parametrize(("attempt", "bound"), [(1, 2), (2, 4), (3, 8), (5, 30), (500, 30)])
def test_the_backoff_is_spread_below_a_bound_that_doubles(attempt: int, bound: float) -> None:
    policy = RetryPolicy(backoff=timedelta(seconds=2), backoff_max=timedelta(seconds=30))
    delays = [backoff(policy, attempt).total_seconds() for _ in range(500)]

    assert 0 <= min(delays) < 0.1 * bound
    assert 0.9 * bound < max(delays) <= bound
