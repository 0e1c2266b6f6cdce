"""Attempts that fail: what is tried again, how often, and what is kept of it."""

from __future__ import annotations

import signal
import time
from datetime import timedelta
from pathlib import Path

import pytest

from heavylift.constants import IDLE_LOOK_INTERVAL
from tests.fixtures_worker import Jobs, StartWorker, WorkerProcess, promised
from tests.waiting import wait_until

pytestmark = pytest.mark.integration


def test_a_failed_attempt_is_tried_again_until_it_succeeds(jobs: Jobs) -> None:
    job = jobs.run("fail", how="value_error", times=2)

    assert (job.status, job.output, job.error) == ("succeeded", {"value": 3}, None)
    assert [(each.number, each.outcome) for each in job.attempts] == [
        (1, "retrying"),
        (2, "retrying"),
        (3, "succeeded"),
    ]
    assert job.attempts[0].reason == "ValueError: seven is not enough"


def test_a_job_fails_when_its_attempts_are_used_up(jobs: Jobs) -> None:
    job = jobs.run("fail", how="value_error")

    assert job.status == "failed"
    assert [each.outcome for each in job.attempts] == ["retrying", "retrying", "failed"]
    assert job.error
    assert (job.error.type, job.error.message) == ("exception", "ValueError: seven is not enough")
    assert job.error.detail
    assert "sample_jobs.py" in job.error.detail


def test_a_retry_asked_for_comes_after_its_delay(jobs: Jobs) -> None:
    job = jobs.run("fail", how="retry", times=1)

    first, second = job.attempts
    assert (first.outcome, first.reason, second.outcome) == ("retrying", "The service is busy.", "succeeded")
    assert first.ended_at
    assert timedelta(seconds=0.3) <= second.started_at - first.ended_at < timedelta(seconds=5)


@pytest.mark.parametrize(
    ("name", "how", "kind", "sentence"),
    [
        ("fail", "failed", "failed", "The picture has no pixels."),
        ("fail", "exit", "exception", "SystemExit: 3"),
        ("picky", "value_error", "exception", "ValueError: not worth a second try"),
    ],
)
def test_what_is_final_is_not_tried_again(jobs: Jobs, name: str, how: str, kind: str, sentence: str) -> None:
    job = jobs.run(name, how=how)

    assert job.error
    assert (job.status, job.error.type, job.error.message) == ("failed", kind, sentence)
    assert [each.outcome for each in job.attempts] == ["failed"]


@pytest.mark.parametrize(
    ("name", "how", "kind", "sentence"),
    [
        ("fail", "memory", "out_of_memory", "MemoryError"),
        ("fail", "wrong_output", "exception", "TypeError: sample.fail returned str, its annotation says Number"),
        ("picky", "os_error", "exception", "OSError: try again"),
    ],
)
def test_what_may_pass_is_tried_again(jobs: Jobs, name: str, how: str, kind: str, sentence: str) -> None:
    job = jobs.run(name, how=how, times=0 if how == "wrong_output" else 99)

    assert job.error
    assert (job.status, job.error.type, job.error.message) == ("failed", kind, sentence)
    assert len(job.attempts) == 3


def test_an_error_that_is_no_utf8_is_no_lost_process(jobs: Jobs) -> None:
    job = jobs.run("garble")

    assert job.error
    assert (job.error.type, job.error.message) == ("exception", "FileNotFoundError: film\\udcff.mp4")
    assert [each.outcome for each in job.attempts] == ["retrying", "retrying", "failed"]


def test_an_end_that_cannot_be_written_fails_once_and_says_why(jobs: Jobs) -> None:
    job = jobs.run("unwritable")

    assert job.error
    assert (job.status, job.error.type, len(job.attempts)) == ("failed", "unwritable_end", 1)
    assert "surrogates not allowed" in job.error.message
    assert job.artifacts == []


def test_a_job_may_cancel_itself(jobs: Jobs) -> None:
    assert jobs.run("fail", how="cancelled").status == "cancelled"


def test_an_input_that_does_not_fit_fails_once_and_says_where(jobs: Jobs) -> None:
    job = jobs.run("meet", folder=None, me=1)

    assert job.status == "failed"
    assert len(job.attempts) == 1
    assert job.error
    assert job.error.type == "invalid_input"
    assert "folder: " in job.error.message
    assert "other: Field required" in job.error.message


def test_a_lost_process_is_recorded_and_its_job_runs_again_within_a_second(jobs: Jobs, tmp_path: Path) -> None:
    (tmp_path / "die").touch()
    (tmp_path / "go").touch()
    job = jobs.run("die", folder=tmp_path, deaths=1)

    assert (job.status, job.output) == ("succeeded", {"value": 2})
    lost, second = job.attempts
    assert (lost.outcome, lost.exit_signal) == ("lost", "SIGKILL")
    assert second.started_at - lost.started_at < timedelta(seconds=promised(1))


@pytest.mark.parametrize(
    ("number", "words"),
    [(signal.SIGKILL, "ended by SIGKILL"), (signal.SIGSEGV, "ended by SIGSEGV"), (0, "exited with code 3")],
)
def test_a_job_that_kills_its_process_ends_after_its_attempts(
    jobs: Jobs, tmp_path: Path, number: int, words: str
) -> None:
    (tmp_path / "die").touch()
    job = jobs.run("die", folder=tmp_path, signal=int(number))

    assert job.status == "failed"
    assert [each.outcome for each in job.attempts] == ["lost", "lost", "failed"]
    assert job.error
    assert job.error.type == "lost"
    assert words in job.error.message


def test_a_lost_neighbour_leaves_a_job_alone(jobs: Jobs, tmp_path: Path) -> None:
    neighbour = jobs.submit("hold", folder=tmp_path)
    wait_until((tmp_path / "holding").exists, what="the neighbour's start")
    (tmp_path / "die").touch()
    poison = jobs.submit("die", folder=tmp_path, deaths=2)

    # Lost twice, it waits until it can run alone.
    wait_until(lambda: jobs.events(poison).count("lost") == 2, what="two losses")
    free = jobs.submit("add", a=1)
    assert jobs.status(neighbour) == "running"
    (tmp_path / "go").touch()
    assert jobs.ended(poison).status == "succeeded"

    assert jobs.ended(free).status == "succeeded"
    [attempt] = jobs.ended(neighbour).attempts
    assert attempt.outcome == "succeeded"
    assert attempt.ended_at
    waited = jobs.job(poison).attempts[2].started_at - attempt.ended_at
    assert timedelta(0) <= waited <= IDLE_LOOK_INTERVAL + timedelta(seconds=promised(1))


def test_a_suspect_runs_alone(jobs: Jobs, tmp_path: Path) -> None:
    (tmp_path / "die").touch()
    suspect = jobs.submit("die", folder=tmp_path, deaths=2)
    wait_until(lambda: jobs.events(suspect).count("running") == 3, what="its third attempt")
    others = jobs.submit_many("add", [{"a": 1}] * 4)

    assert jobs.job(suspect).status == "running"
    (tmp_path / "go").touch()
    done = jobs.ended(suspect)
    for each in others:
        assert jobs.ended(each).attempts[0].started_at >= done.finished_at  # ty: ignore[unsupported-operator]


def test_a_suspect_runs_while_there_is_always_other_work(
    own_jobs: Jobs, start_worker: StartWorker, tmp_path: Path
) -> None:
    first, second, other = (tmp_path / name for name in ("first", "second", "other"))
    for folder in (first, second, other):
        folder.mkdir()
    worker = start_worker(slots=2, HEAVYLIFT_QUEUES="sample_b,sample")
    own_jobs.submit("hold", folder=first)
    wait_until((first / "holding").exists, 30, what="a job in the first slot")
    for name in ("die", "go"):
        (tmp_path / name).touch()
    suspect = own_jobs.submit("die", folder=tmp_path, deaths=2)
    wait_until(lambda: own_jobs.events(suspect).count("lost") == 2, what="two losses")
    own_jobs.redis.hset(own_jobs.store.keys.job(*suspect), "ready", round(time.time() + 60) * 1000)  # its time comes
    own_jobs.submit("hold", folder=second)
    wait_until((second / "holding").exists, what="a job in the second slot")

    own_jobs.redis.hset(own_jobs.store.keys.job(*suspect), "ready", 1)
    backlog = [own_jobs.submit("add", a=1)]
    (first / "go").touch()
    wait_until(lambda: worker.events("running_dry_for_a_job_that_runs_alone"), what="a worker that runs dry")
    backlog.append(own_jobs.submit("hold_b", folder=other))  # of the queue that is served first
    asked, [lease] = own_jobs.calls("evalsha"), own_jobs.leases()
    wait_until(lambda: own_jobs.leases()[0].beats >= lease.beats + 2, what="two renewals")
    assert own_jobs.calls("evalsha") - asked < 30, "it asks without a pause"
    (other / "go").touch()
    (second / "go").touch()

    done = own_jobs.ended(suspect)
    assert done.status == "succeeded"
    for each in backlog:
        assert own_jobs.ended(each).attempts[0].started_at >= done.finished_at  # ty: ignore[unsupported-operator]


def test_a_process_that_dies_after_its_job_ended_leaves_the_slot_free(jobs: Jobs, tmp_path: Path) -> None:
    job = jobs.run("die_after", folder=tmp_path)
    wait_until((tmp_path / "struck").exists, what="its death")

    assert (job.status, len(job.attempts)) == ("succeeded", 1)
    (tmp_path / "meeting").mkdir()
    inputs = [{"folder": tmp_path / "meeting", "me": me, "other": other} for me, other in ("ab", "ba")]
    for each in jobs.submit_many("meet", inputs):
        assert jobs.ended(each).status == "succeeded", "a slot is held by a job that has ended"


def test_dead_processes_leave_no_file_open(jobs: Jobs, worker: WorkerProcess, tmp_path: Path) -> None:
    def open_files() -> int:
        return len(list(Path(f"/proc/{worker.pid}/fd").iterdir()))

    jobs.run("add", a=1)
    before = open_files()
    (tmp_path / "die").touch()
    for each in jobs.submit_many("die", [{"folder": tmp_path}] * 4):
        assert len(jobs.ended(each).attempts) == 3

    wait_until(lambda: open_files() == before, what=f"{before} open files, as before twelve deaths")
