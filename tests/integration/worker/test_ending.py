"""How a worker process ends that is told to, and what becomes of the jobs it holds."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.fixtures_redis import RedisServer
from tests.fixtures_worker import Jobs, StartWorker, promised
from tests.integration.worker.holding import holding, is_alive, pids_of
from tests.waiting import wait_until

pytestmark = pytest.mark.integration


def test_a_draining_worker_finishes_what_runs_and_takes_no_more(
    own_jobs: Jobs, start_worker: StartWorker, tmp_path: Path
) -> None:
    worker = start_worker(slots=2)
    running = holding(own_jobs, tmp_path)
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
    job_id = holding(own_jobs, tmp_path, "whole")
    worker.terminate()

    assert worker.ended() == 0
    assert (own_jobs.status(job_id), own_jobs.job(job_id).output) == ("succeeded", {"value": 1})


@pytest.mark.parametrize("name", ["half", "half_async", "wait_async", "stubborn"])
def test_after_the_grace_a_job_goes_back_with_no_attempt_counted(
    own_jobs: Jobs, start_worker: StartWorker, tmp_path: Path, name: str
) -> None:
    worker = start_worker(HEAVYLIFT_GRACE="2s")
    job_id = holding(own_jobs, tmp_path, name)
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
    job_id = holding(own_jobs, tmp_path, name)
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
    holding(own_jobs, tmp_path, "stubborn")
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
    [child] = pids_of(tmp_path)
    assert not is_alive(child)
