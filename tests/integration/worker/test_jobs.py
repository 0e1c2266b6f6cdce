"""What a job may do, and what becomes of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from heavylift.ids import parse_job_id
from heavylift_worker.attempt import MAX_OUTPUT
from heavylift_worker.context import MAX_LINE
from tests.fixtures_worker import Jobs, StartWorker, WorkerProcess
from tests.waiting import wait_until

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("name", ["add", "add_async"])
def test_a_job_gives_its_output(jobs: Jobs, name: str) -> None:
    job = jobs.run(name, a=2, b=3)

    assert (job.status, job.output, job.error) == ("succeeded", {"value": 5}, None)
    assert [each.outcome for each in job.attempts] == ["succeeded"]


def test_what_a_job_says_is_read_while_it_runs(jobs: Jobs, tmp_path: Path) -> None:
    job_id = jobs.submit("talk", folder=tmp_path)
    wait_until(lambda: jobs.job(job_id).progress, what="progress")
    wait_until((tmp_path / "key").exists, what="the staged artifacts")
    running = jobs.job(job_id)
    (tmp_path / "go").touch()
    job = jobs.ended(job_id)

    assert running.artifacts == []
    assert running.progress
    assert (running.progress.done, running.progress.total, running.progress.message) == (1, 4, "begun")
    assert jobs.events(job_id) == ["queued", "running", "log", "succeeded"]
    assert job.progress
    assert job.progress.done == 4
    assert (tmp_path / "key").read_text().strip() == job.id


def test_whatever_a_job_says_it_can_be_read(jobs: Jobs) -> None:
    job = jobs.run("babble")

    assert job.progress
    assert (job.status, job.progress.done, job.progress.message) == ("succeeded", 1, "film.mp4")
    lines = [json.loads(each) for each in jobs.redis.lrange(jobs.store.keys.events(*parse_job_id(job.id)), 0, -1)]
    said = [(line["message"], line["data"]) for line in lines if line["event"] == "log"]
    assert said == [
        ("42", {"field": 42}),
        ("film.mp4", {"field": "film.mp4"}),
        ("\\udcff", {"field": "\\udcff"}),
        ("x" * MAX_LINE, {"field": "(too long to be told)"}),
        ("numbers", {"nan": None, "large": str(1 << 80), "keys": {"a": "{1}"}}),
    ]


def test_an_output_too_large_for_redis_fails_with_the_remedy(jobs: Jobs) -> None:
    assert jobs.run("write", size=MAX_OUTPUT - 100).status == "succeeded"
    job = jobs.run("write", size=MAX_OUTPUT)

    assert job.error
    assert (job.status, len(job.attempts)) == ("failed", 1)
    assert job.error.message.endswith("publish it as an artifact.")


def test_artifacts_are_published_with_success(jobs: Jobs, worker: WorkerProcess, tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    job = jobs.run("talk", folder=tmp_path)

    contents = {each.name: (worker.folder / "artifacts" / each.key).read_bytes() for each in job.artifacts}
    assert contents == {"result.txt": b"from a path", "sub/bytes.bin": b"from bytes"}
    assert {each.content_type for each in job.artifacts} == {"text/plain", "application/octet-stream"}
    workdir = Path((tmp_path / "workdir").read_text().strip())
    wait_until(lambda: not workdir.exists(), what="the end of the work folder")


def test_what_a_failed_attempt_staged_is_removed(jobs: Jobs, worker: WorkerProcess) -> None:
    job = jobs.run("fail", how="failed")

    assert job.artifacts == []
    folder = worker.folder / "artifacts" / "jobs" / job.id
    wait_until(lambda: not [path for path in folder.rglob("*") if path.is_file()], what="the removal")


def test_usage_is_recorded(jobs: Jobs) -> None:
    [attempt] = jobs.run("burn").attempts
    [after] = jobs.run("add", a=1).attempts

    assert attempt.cpu_seconds
    assert 0.2 <= attempt.cpu_seconds < 1.5
    assert attempt.max_rss_bytes
    assert 80e6 < attempt.max_rss_bytes < 400e6
    assert after.max_rss_bytes
    assert after.cpu_seconds is not None
    assert after.max_rss_bytes < attempt.max_rss_bytes - 60e6, "the peak is of the attempt, not of its process"
    assert after.cpu_seconds < 0.1


def test_two_slots_run_at_the_same_time(jobs: Jobs, tmp_path: Path) -> None:
    inputs = [{"folder": tmp_path, "me": me, "other": other} for me, other in ("ab", "ba")]
    first, second = (jobs.ended(each) for each in jobs.submit_many("meet", inputs))

    assert first.status == second.status == "succeeded"
    assert first.output != second.output, "one process ran both"


def test_more_jobs_than_slots_all_run_once(jobs: Jobs, tmp_path: Path) -> None:
    submitted = jobs.submit_many("note", [{"folder": tmp_path}] * 200)
    for each in submitted:
        assert jobs.ended(each).status == "succeeded"

    assert sorted((tmp_path / "ran").read_text().split("\n")) == sorted(["", *(f"{each} 1" for each in submitted)])
    assert jobs.leases() == []


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_a_job_may_use_a_process_pool(jobs: Jobs, method: str) -> None:
    for _ in range(2 if method == "forkserver" else 1):
        assert jobs.run("pool", method=method).output == {"value": 14}


def test_what_a_job_leaves_behind_is_ended(jobs: Jobs, worker: WorkerProcess, tmp_path: Path) -> None:
    job = jobs.run("litter", folder=tmp_path)
    assert isinstance(job.output, dict)

    assert not Path(f"/proc/{job.output['value']}").exists(), "the process it left still runs"
    for _ in range(4):
        assert isinstance(output := jobs.run("look").output, dict)
        assert output["folder"] == str(worker.folder)


def test_a_job_that_goes_on_starting_processes_ends(own_jobs: Jobs, start_worker: StartWorker) -> None:
    start_worker()
    assert own_jobs.run("breed", timeout=12).status == "succeeded"


def test_a_job_after_one_that_took_its_signals_can_still_be_stopped(jobs: Jobs, tmp_path: Path) -> None:
    for _ in range(4):  # in each of the slots
        jobs.run("litter", folder=tmp_path)
    job_id = jobs.submit("hold", folder=tmp_path)
    wait_until((tmp_path / "holding").exists, what="its start")
    jobs.cancel(job_id)

    [attempt] = jobs.ended(job_id).attempts
    assert (attempt.outcome, attempt.exit_signal) == ("cancelled", None)
