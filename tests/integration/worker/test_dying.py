"""A worker that dies or freezes without a word, and what becomes of the jobs it holds."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from heavylift.ids import JobId
from tests.fixtures_worker import Jobs, StartWorker, WorkerProcess, promised
from tests.integration.worker.holding import holding, is_alive, pids_of
from tests.waiting import wait_until

pytestmark = pytest.mark.integration


def test_a_killed_worker_takes_its_jobs_processes_along_and_another_runs_them(
    own_jobs: Jobs, start_worker: StartWorker, tmp_path: Path
) -> None:
    worker = start_worker(slots=2)
    job_id = holding(own_jobs, tmp_path, "family")
    pids = [*worker.children(), *pids_of(tmp_path)]
    folders = list(tmp_path.glob("heavylift-*"))
    worker.kill()

    assert len(pids) >= 4
    assert folders
    wait_until(lambda: not any(map(is_alive, pids)), promised(2), what="the end of all its processes")
    wait_until(lambda: not list(tmp_path.glob("heavylift-*")), promised(2), what="the removal of its folders")
    [lease] = own_jobs.leases()
    assert lease.uuid == job_id.uuid
    start_worker()
    assert own_jobs.reap() == ["queued"]
    (tmp_path / "go").touch()
    assert [each.outcome for each in own_jobs.ended(job_id).attempts] == ["lost", "succeeded"]


def test_a_cancel_outlives_the_worker(own_jobs: Jobs, start_worker: StartWorker, tmp_path: Path) -> None:
    worker = start_worker()
    job_id = holding(own_jobs, tmp_path, "stubborn")
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
    job_id = holding(own_jobs, tmp_path, "echo")
    [child] = pids_of(tmp_path)
    _freeze(frozen, child)
    assert own_jobs.reap() == ["queued"]
    start_worker()
    wait_until(lambda: len(own_jobs.job(job_id).attempts) == 2, what="its second attempt")
    wait_until(lambda: "attempt 2" in _said(own_jobs, job_id)[-1], what="its first word")
    before = sum("attempt 1" in line for line in _said(own_jobs, job_id))
    _thaw(frozen, child)
    wait_until(lambda: not is_alive(child) or frozen.events("attempt_ended"), 5, what="the end of the first")
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
    job_id = holding(own_jobs, tmp_path)
    [child] = pids_of(tmp_path)
    os.kill(child, signal.SIGSTOP)
    own_jobs.cancel(job_id)

    assert own_jobs.ended(job_id, promised(2)).status == "cancelled"
    wait_until(lambda: not is_alive(child), promised(2), what="its end")
