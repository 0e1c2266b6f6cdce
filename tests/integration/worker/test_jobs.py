"""What a job may do, and what becomes of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from heavylift.model import Job

from tests.fixtures_worker import Jobs, WorkerProcess
from tests.waiting import wait_until

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("name", ["add", "add_async"])
def test_a_job_gives_its_output(jobs: Jobs, name: str) -> None:
    job = jobs.run(name, a=2, b=3)

    assert (job.status, job.output, job.error) == ("succeeded", {"value": 5}, None)
    assert [each.outcome for each in job.attempts] == ["succeeded"]
