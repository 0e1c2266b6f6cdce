"""What becomes of jobs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from heavylift.client import Client, JobView
from heavylift.model import JobStatus
from tests.waiting import wait_until

RUNNING_AGAIN = timedelta(seconds=20)
"""The longest from the loss of an attempt to the start of the next, as the guarantees say."""


def running(client: Client, ids: Sequence[str], timeout: float = 60) -> list[JobView]:
    """Return the jobs once all of them run."""

    def jobs() -> list[JobView] | None:
        found = [client.get(each) for each in ids]
        return found if all(job.status == JobStatus.RUNNING for job in found) else None

    return wait_until(jobs, timeout, what=f"{len(ids)} running jobs", every=0.3)


def ended(client: Client, ids: Iterable[str], timeout: float = 120) -> list[JobView]:
    """Return the jobs once all of them have ended."""
    return [client.wait(each, timeout=timeout) for each in ids]


def started_again(client: Client, job_id: str, attempt: int = 2, timeout: float = 60) -> JobView:
    """Return the job once it runs in that attempt, or has ended."""

    def job() -> JobView | None:
        found = client.get(job_id)
        return found if len(found.attempts) >= attempt else None

    return wait_until(job, timeout, what=f"attempt {attempt} of {job_id}", every=0.3)
