"""Cancels and time limits: how a job that runs, or waits, is brought to its end."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.fixtures_worker import Jobs, promised
from tests.waiting import wait_until

pytestmark = pytest.mark.integration


def test_a_waiting_job_is_cancelled_and_never_runs(jobs: Jobs, tmp_path: Path) -> None:
    holding = jobs.submit_many("hold", [{"folder": tmp_path}] * 2)
    wait_until(lambda: all(jobs.status(each) == "running" for each in holding), what="both slots to be taken")
    waiting = jobs.submit("note", folder=tmp_path)

    assert jobs.cancel(waiting) == "cancelled"
    (tmp_path / "go").touch()
    for each in holding:
        jobs.ended(each)
    jobs.run("add", a=1)
    assert jobs.job(waiting).attempts == []
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["hold", "half", "stubborn", "wait_async", "deaf", "family"])
def test_a_running_job_is_cancelled_within_two_seconds(jobs: Jobs, tmp_path: Path, name: str) -> None:
    job_id = jobs.submit(name, folder=tmp_path)
    wait_until((tmp_path / "holding").exists, what="its start")
    asked = time.monotonic()
    assert jobs.cancel(job_id) == "running"
    job = jobs.ended(job_id)

    assert time.monotonic() - asked < promised(2)
    assert job.status == "cancelled"
    assert [each.outcome for each in job.attempts] == ["cancelled"]
    assert jobs.leases() == []
    if name == "wait_async":
        assert (tmp_path / "cleaned").exists(), "it had no chance to clean up"
    if name in {"stubborn", "deaf", "family"}:
        for pid in (tmp_path / "holding").read_text().split()[1:]:
            wait_until(lambda pid=pid: not Path(f"/proc/{pid}").exists(), what="the end of its processes")


def test_the_slot_of_a_cancelled_job_is_free_at_once(jobs: Jobs, tmp_path: Path) -> None:
    stubborn = jobs.submit_many("stubborn", [{"folder": tmp_path}] * 2)
    wait_until(lambda: all(jobs.status(each) == "running" for each in stubborn), what="both slots to be taken")
    for each in stubborn:
        jobs.cancel(each)
    for each in stubborn:
        jobs.ended(each)
    freed = time.monotonic()
    jobs.run("add", a=1)

    assert time.monotonic() - freed < promised(1)


@pytest.mark.parametrize("name", ["soft", "soft_async"])
def test_a_job_past_its_soft_limit_fails(jobs: Jobs, tmp_path: Path, name: str) -> None:
    job = jobs.run(name, folder=tmp_path)

    assert job.status == "failed"
    assert job.error
    assert (job.error.type, job.error.message) == ("time_limit", "The job ran longer than its soft limit of 0.3 s.")
    assert job.attempts[0].exit_signal is None, "its process was killed"


def test_a_job_may_save_its_work_at_the_soft_limit(jobs: Jobs, tmp_path: Path) -> None:
    assert jobs.run("soft", folder=tmp_path, save=True).output == {"value": 1}


def test_a_job_past_its_hard_limit_is_killed_and_tried_again(jobs: Jobs, tmp_path: Path) -> None:
    job = jobs.run("hard", folder=tmp_path)

    assert job.status == "failed"
    assert job.error
    assert (job.error.type, job.error.message) == ("time_limit", "The job ran longer than its limit of 0.5 s.")
    assert [each.outcome for each in job.attempts] == ["retrying", "failed"]
    for line in (tmp_path / "holding").read_text().splitlines():
        pid = int(line.split()[1])
        wait_until(lambda pid=pid: not Path(f"/proc/{pid}").exists(), what="the end of its process")
