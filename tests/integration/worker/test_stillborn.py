"""Children that die before they have begun the job that was handed to them."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.fixtures_worker import Jobs, StartWorker
from tests.waiting import wait_until

pytestmark = pytest.mark.integration


def test_a_job_whose_child_dies_before_it_begins_is_run_by_another_and_counts_no_attempt(
    own_jobs: Jobs, start_worker: StartWorker, tmp_path: Path
) -> None:
    worker = start_worker()
    assert own_jobs.run("add", a=1).status == "succeeded"
    child = worker.children()[-1]  # the first is the guard
    os.kill(child, signal.SIGSTOP)
    job_id = own_jobs.submit("note", folder=tmp_path)
    own_jobs.await_status(job_id, "running")
    os.kill(child, signal.SIGKILL)

    job = own_jobs.ended(job_id)
    assert [(each.number, each.outcome) for each in job.attempts] == [(1, "released"), (1, "succeeded")]
    assert (tmp_path / "ran").read_text() == f"{job_id} 1\n"
    assert [each["outcome"] for each in worker.events("attempt_ended_by_worker")] == ["released"]


def test_a_job_that_no_child_lives_to_begin_ends_after_its_attempts(
    own_jobs: Jobs, start_worker: StartWorker, tmp_path: Path
) -> None:
    worker = start_worker(modules="tests.integration.worker.stillborn_jobs")
    job = own_jobs.run("hold", folder=tmp_path, timeout=30)

    assert job.status == "failed"
    assert job.error
    assert "die before they begin it: 12 in a row" in job.error.message
    wait_until(lambda: len(worker.events("attempt_ended_by_worker")) >= 12, what="the worker's word of the last one")
    assert [each["outcome"] for each in worker.events("attempt_ended_by_worker")] == ["released"] * 9 + ["lost"] * 3
    assert own_jobs.run("add", a=1).status == "succeeded"
