"""Redis that dies, stalls, forgets, or is not there yet: the worker waits, keeps what it runs, and goes on."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from heavylift import operations as ops
from heavylift.ids import JobId
from tests.fixtures_redis import RedisServer
from tests.fixtures_worker import Jobs, StartWorker, WorkerProcess, promised
from tests.waiting import wait_until

pytestmark = pytest.mark.integration

BACK_AT_WORK = 3
"""Seconds from Redis's return to the start of the next job."""


def _begin(jobs: Jobs, folder: Path) -> JobId:
    job_id = jobs.submit("hold", folder=folder)
    wait_until((folder / "holding").exists, what="the job's start")
    return job_id


def _assert_ran_once(jobs: Jobs, job_id: JobId, folder: Path) -> None:
    (folder / "go").touch()
    job = jobs.ended(job_id)
    assert [each.outcome for each in job.attempts] == ["succeeded"]
    assert (folder / "held").read_text() == "1\n"


def _assert_back_at_work(jobs: Jobs, worker: WorkerProcess) -> None:
    """The worker has a slot free: a new job must start soon."""
    jobs.ended(jobs.submit("add", a=1), promised(BACK_AT_WORK))
    assert worker.process.poll() is None


def test_redis_dies_and_comes_back_while_the_worker_is_busy_and_while_it_is_idle(
    own_jobs: Jobs, redis_server: RedisServer, start_worker: StartWorker, tmp_path: Path
) -> None:
    worker = start_worker(slots=2)
    job_id = _begin(own_jobs, tmp_path)
    for pause in (0.0, 1.5):
        redis_server.kill()
        time.sleep(pause)  # the length of the outage is what is tested
        redis_server.start()
        _assert_back_at_work(own_jobs, worker)
    _assert_ran_once(own_jobs, job_id, tmp_path)

    redis_server.kill()
    redis_server.start()
    _assert_back_at_work(own_jobs, worker)


def test_a_job_that_ends_while_redis_is_away_ends_once(
    own_jobs: Jobs, redis_server: RedisServer, start_worker: StartWorker, tmp_path: Path
) -> None:
    worker = start_worker()
    job_id = _begin(own_jobs, tmp_path)
    redis_server.kill()
    (tmp_path / "go").touch()
    wait_until(lambda: worker.events("finish_waits_for_redis"), what="the job to wait for Redis")
    redis_server.start()

    _assert_ran_once(own_jobs, job_id, tmp_path)
    _assert_back_at_work(own_jobs, worker)


def test_redis_stalls_for_three_seconds(
    own_jobs: Jobs, redis_server: RedisServer, start_worker: StartWorker, tmp_path: Path
) -> None:
    worker = start_worker(slots=2)
    job_id = _begin(own_jobs, tmp_path)
    redis_server.pause()
    time.sleep(3)  # longer than redis_timeout
    redis_server.resume()

    _assert_back_at_work(own_jobs, worker)
    _assert_ran_once(own_jobs, job_id, tmp_path)


def test_redis_forgets_its_scripts_and_drops_the_workers_connections(
    own_jobs: Jobs, start_worker: StartWorker, tmp_path: Path
) -> None:
    worker = start_worker(slots=2)
    job_id = _begin(own_jobs, tmp_path)
    own_jobs.redis.script_flush()
    _assert_back_at_work(own_jobs, worker)
    for _ in range(3):
        own_jobs.redis.client_kill_filter(_type="normal", skipme=True)
        _assert_back_at_work(own_jobs, worker)
        own_jobs.redis.script_flush()
    _assert_ran_once(own_jobs, job_id, tmp_path)


def test_the_worker_waits_for_a_redis_that_is_not_there_yet(
    own_jobs: Jobs, redis_server: RedisServer, start_worker: StartWorker
) -> None:
    redis_server.kill()
    worker = start_worker()
    wait_until(lambda: worker.events("cannot_reach_redis"), what="its first try")
    wait_until(lambda: worker.events("redis_is_away"), what="its supervisor's first try")
    redis_server.start()

    _assert_back_at_work(own_jobs, worker)
    wait_until(lambda: own_jobs.redis.hexists("hl:types", "sample.add"), what="its job types")


def test_the_worker_pauses_longer_and_longer_while_redis_refuses_claims(
    own_jobs: Jobs, start_worker: StartWorker
) -> None:
    job_id = own_jobs.submit("add", a=1)
    own_jobs.redis.config_set("min-replicas-to-write", 1)
    worker = start_worker()
    wait_until(lambda: worker.events("worker_ready"), what="its first try")
    began = time.monotonic()
    wait_until(lambda: len(worker.events("worker_ready")) == 4, 15, what="its fourth try")

    assert time.monotonic() - began > 1.2
    assert "Frequent restarts" not in worker.log.read_text()
    own_jobs.redis.config_set("min-replicas-to-write", 0)
    assert own_jobs.ended(job_id).status == "succeeded"


def test_a_queue_whose_keys_are_broken_starves_no_other(own_jobs: Jobs, start_worker: StartWorker) -> None:
    own_jobs.submit("hold_b", folder="/none")
    own_jobs.redis.set(own_jobs.store.keys.leases("sample_b"), "no hash")
    worker = start_worker(HEAVYLIFT_QUEUES="sample_b,sample")
    for _ in range(3):
        own_jobs.run("add", a=1)

    assert [each["queue"] for each in worker.events("queue_cannot_be_claimed_from")] == ["sample_b"]
    assert len(worker.events("worker_ready")) == 1
    assert worker.process.poll() is None


def test_a_wake_list_that_is_none_costs_a_pause(own_jobs: Jobs, start_worker: StartWorker) -> None:
    own_jobs.redis.set(own_jobs.store.keys.wake("sample_b"), "no list")
    worker = start_worker(HEAVYLIFT_QUEUES="sample,sample_b")
    for _ in range(3):
        _assert_back_at_work(own_jobs, worker)


def test_a_new_empty_redis_learns_the_job_types(
    own_jobs: Jobs, redis_server: RedisServer, start_worker: StartWorker
) -> None:
    worker = start_worker()
    own_jobs.run("add", a=1)
    own_jobs.redis.flushall()
    redis_server.kill()
    wait_until(lambda: worker.events("cannot_reach_redis"), what="the worker to notice")
    redis_server.start()

    wait_until(lambda: own_jobs.redis.hexists("hl:types", "sample.add"), what="its job types")


def test_no_attempt_is_lost_while_connections_are_cut_all_the_time(
    own_jobs: Jobs, start_worker: StartWorker, tmp_path: Path
) -> None:
    worker = start_worker(slots=2)
    own_jobs.run("add", a=1)
    succeeded = own_jobs.store.keys.index("sample", "succeeded")
    submitted = own_jobs.submit_many("note", [{"folder": tmp_path}] * 500)
    for _ in range(25):
        own_jobs.redis.client_kill_filter(_type="normal", skipme=True)
        time.sleep(0.05)  # how often they are cut
    wait_until(lambda: own_jobs.redis.zcard(succeeded) == 501, 15, what="the end of all jobs")

    assert worker.process.poll() is None
    assert {
        tuple(each.number for each in own_jobs.job(one).attempts if each.outcome != "released") for one in submitted
    } == {(1,)}
    ran = (tmp_path / "ran").read_text().split("\n")[:-1]
    assert len(set(ran)) == len(submitted)
    assert own_jobs.leases() == []


def test_a_worker_that_starts_while_redis_is_full_reports_and_runs_what_waits(
    own_jobs: Jobs, start_worker: StartWorker
) -> None:
    waiting = [own_jobs.submit("add", a=number) for number in range(5)]
    own_jobs.store.redis.config_set("maxmemory", 1)
    start_worker()
    assert {own_jobs.ended(each).status for each in waiting} == {"succeeded"}
    wait_until(lambda: own_jobs.store.run(ops.read_workers(own_jobs.store.keys)), what="its report")
