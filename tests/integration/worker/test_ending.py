"""How a worker process ends: told to, killed, frozen; and what becomes of the jobs it holds."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from heavylift.ids import JobId
from tests.fixtures_redis import RedisServer
from tests.fixtures_worker import Jobs, StartWorker, WorkerProcess, promised
from tests.waiting import wait_until

pytestmark = pytest.mark.integration


def _holding(jobs: Jobs, folder: Path, name: str = "hold") -> JobId:
    """Submit a job that runs until folder/go exists, and wait until it runs."""
    job_id = jobs.submit(name, folder=folder)
    trace = folder / "holding"
    wait_until(lambda: trace.exists() and trace.read_text().endswith("\n"), what="the job's start")
    return job_id


def _pids(folder: Path) -> list[int]:
    """Return the processes of the last attempt."""
    return [int(pid) for pid in (folder / "holding").read_text().splitlines()[-1].split()[1:]]


def _alive(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def test_a_draining_worker_finishes_what_runs_and_takes_no_more(
    own_jobs: Jobs, start_worker: StartWorker, tmp_path: Path
) -> None:
    worker = start_worker(slots=2)
    running = _holding(own_jobs, tmp_path)
    worker.terminate()
    waiting = own_jobs.submit("add", a=1)
    wait_until(lambda: worker.events("worker_draining"), what="the drain")
    (tmp_path / "go").touch()
    ended = own_jobs.ended(running)
    told = time.monotonic()

    assert worker.ended() == 0
    assert time.monotonic() - told < promised(1)
    assert [each.outcome for each in ended.attempts] == ["succeeded"]
    assert own_jobs.events(waiting) == ["queued"]


def test_an_idle_worker_ends_within_a_second(own_jobs: Jobs, start_worker: StartWorker) -> None:
    worker = start_worker(slots=2)
    own_jobs.run("add", a=1)
    told = time.monotonic()
    worker.terminate()

    assert worker.ended() == 0
    assert time.monotonic() - told < promised(1)


def test_a_job_that_comes_to_its_end_unaware_of_the_drain_succeeds(
    own_jobs: Jobs, start_worker: StartWorker, tmp_path: Path
) -> None:
    worker = start_worker(HEAVYLIFT_GRACE="2s")
    job_id = _holding(own_jobs, tmp_path, "whole")
    worker.terminate()

    assert worker.ended() == 0
    assert (own_jobs.status(job_id), own_jobs.job(job_id).output) == ("succeeded", {"value": 1})


@pytest.mark.parametrize("name", ["half", "half_async", "wait_async", "stubborn"])
def test_after_the_grace_a_job_goes_back_with_no_attempt_counted(
    own_jobs: Jobs, start_worker: StartWorker, tmp_path: Path, name: str
) -> None:
    worker = start_worker(HEAVYLIFT_GRACE="2s")
    job_id = _holding(own_jobs, tmp_path, name)
    told = time.monotonic()
    worker.terminate()

    assert worker.ended() == 0
    assert time.monotonic() - told < promised(3)
    assert own_jobs.status(job_id) == "queued"
    assert own_jobs.redis.hget(own_jobs.store.keys.job(*job_id), "attempts") == b"0"
    assert own_jobs.events(job_id) == ["queued", "running", "released"]
    assert own_jobs.leases() == []


@pytest.mark.parametrize("name", ["hold", "stubborn"])
def test_a_second_signal_hands_back_at_once(
    own_jobs: Jobs, start_worker: StartWorker, tmp_path: Path, name: str
) -> None:
    worker = start_worker()
    job_id = _holding(own_jobs, tmp_path, name)
    worker.terminate()
    wait_until(lambda: worker.events("worker_draining"), what="the drain")
    told = time.monotonic()
    worker.terminate()

    assert worker.ended() == 0
    assert time.monotonic() - told < promised(2.5)
    assert own_jobs.events(job_id) == ["queued", "running", "released"]


def test_a_worker_under_load_leaves_no_lease_behind(own_jobs: Jobs, start_worker: StartWorker, tmp_path: Path) -> None:
    submitted = own_jobs.submit_many("note", [{"folder": tmp_path}] * 3000)
    for _ in range(3):
        worker = start_worker(slots=2)
        before = own_jobs.redis.zcard(own_jobs.store.keys.index("sample", "succeeded"))
        wait_until(
            lambda before=before: own_jobs.redis.zcard(own_jobs.store.keys.index("sample", "succeeded")) > before + 50,
            what="work",
        )
        worker.terminate()
        assert worker.ended() == 0
        assert own_jobs.leases() == []
        assert own_jobs.redis.zcard(own_jobs.store.keys.index("sample", "running")) == 0

    ran = (tmp_path / "ran").read_text().split("\n")[:-1]
    assert len(ran) == len(set(ran)) == own_jobs.redis.zcard(own_jobs.store.keys.index("sample", "succeeded"))
    assert {line.split()[1] for line in ran} == {"1"}
    assert len(ran) < len(submitted)


def test_a_worker_ends_within_its_grace_while_redis_is_down(
    own_jobs: Jobs, redis_server: RedisServer, start_worker: StartWorker, tmp_path: Path
) -> None:
    busy = start_worker(HEAVYLIFT_GRACE="3s")
    _holding(own_jobs, tmp_path, "stubborn")
    idle = start_worker()
    wait_until(lambda: idle.events("worker_ready"), what="the idle worker's start")
    redis_server.kill()
    told = time.monotonic()
    idle.terminate()
    busy.terminate()

    assert idle.ended() == 0
    assert time.monotonic() - told < promised(3)
    assert busy.ended() == 0
    assert time.monotonic() - told < promised(4.5)
    [child] = _pids(tmp_path)
    assert not _alive(child)


def test_a_killed_worker_takes_its_jobs_processes_along_and_another_runs_them(
    own_jobs: Jobs, start_worker: StartWorker, tmp_path: Path
) -> None:
    worker = start_worker(slots=2)
    job_id = _holding(own_jobs, tmp_path, "family")
    pids = [*worker.children(), *_pids(tmp_path)]
    folders = list(tmp_path.glob("heavylift-*"))
    worker.kill()

    assert len(pids) >= 4
    assert folders
    wait_until(lambda: not any(map(_alive, pids)), promised(2), what="the end of all its processes")
    wait_until(lambda: not list(tmp_path.glob("heavylift-*")), promised(2), what="the removal of its folders")
    [lease] = own_jobs.leases()
    assert lease.uuid == job_id.uuid
    start_worker()
    assert own_jobs.reap() == ["queued"]
    (tmp_path / "go").touch()
    assert [each.outcome for each in own_jobs.ended(job_id).attempts] == ["lost", "succeeded"]


def test_a_cancel_outlives_the_worker(own_jobs: Jobs, start_worker: StartWorker, tmp_path: Path) -> None:
    worker = start_worker()
    job_id = _holding(own_jobs, tmp_path, "stubborn")
    own_jobs.cancel(job_id)
    worker.kill()

    if own_jobs.status(job_id) == "running":
        own_jobs.reap()
    assert own_jobs.status(job_id) == "cancelled"


def _freeze(worker: WorkerProcess, child: int) -> None:
    for pid in (worker.pid, child):
        os.kill(pid, signal.SIGSTOP)


def _thaw(worker: WorkerProcess, child: int) -> None:
    for pid in (child, worker.pid):
        os.kill(pid, signal.SIGCONT)


def test_a_frozen_worker_writes_nothing_once_its_lease_is_anothers(
    own_jobs: Jobs, start_worker: StartWorker, tmp_path: Path
) -> None:
    frozen = start_worker()
    job_id = _holding(own_jobs, tmp_path, "echo")
    [child] = _pids(tmp_path)
    _freeze(frozen, child)
    assert own_jobs.reap() == ["queued"]
    start_worker()
    wait_until(lambda: len(own_jobs.job(job_id).attempts) == 2, what="its second attempt")
    wait_until(lambda: "attempt 2" in _said(own_jobs, job_id)[-1], what="its first word")
    before = sum("attempt 1" in line for line in _said(own_jobs, job_id))
    _thaw(frozen, child)
    wait_until(lambda: not _alive(child) or frozen.events("attempt_ended"), 5, what="the end of the first")
    (tmp_path / "go").touch()
    job = own_jobs.ended(job_id)

    assert [each.outcome for each in job.attempts] == ["lost", "succeeded"]
    assert own_jobs.events(job_id).count("succeeded") == 1
    assert sum("attempt 1" in line for line in _said(own_jobs, job_id)) == before
    assert [each.key.split("/")[2][:2] for each in job.artifacts] == ["2-"]
    assert own_jobs.run("add", a=1).status == "succeeded"


def _said(jobs: Jobs, job_id: JobId) -> list[str]:
    return [event.decode() for event in jobs.redis.lrange(jobs.store.keys.events(*job_id), 0, -1)]


def test_a_frozen_child_alone_is_killed_when_it_is_cancelled(
    own_jobs: Jobs, start_worker: StartWorker, tmp_path: Path
) -> None:
    start_worker()
    job_id = _holding(own_jobs, tmp_path)
    [child] = _pids(tmp_path)
    os.kill(child, signal.SIGSTOP)
    own_jobs.cancel(job_id)

    assert own_jobs.ended(job_id, promised(2)).status == "cancelled"
    wait_until(lambda: not _alive(child), promised(2), what="its end")
