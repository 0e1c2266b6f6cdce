"""Workers that are marked to be drained: they get nothing, say so, and go on when the mark is gone."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from heavylift import operations as ops
from heavylift.constants import IDLE_LOOK_INTERVAL
from heavylift.ids import JobId
from tests.fixtures_redis import RedisServer
from tests.fixtures_worker import Jobs, StartWorker, WorkerProcess, promised
from tests.integration.worker.holding import holding
from tests.waiting import wait_until

pytestmark = pytest.mark.integration

WATCHED = {"HEAVYLIFT_METRICS_PORT": "0", "HEAVYLIFT_POOL": "samples"}
DRAINING = (503, "draining\n")
READY = (200, "ok\n")


def mark(jobs: Jobs, *names: str, queues: Sequence[str] = ("sample",), seconds: float = 600) -> None:
    for queue in queues:
        assert jobs.store.run(ops.drain(jobs.store.keys, queue, epoch=1, mark=names, seconds=seconds))


def release(jobs: Jobs, *names: str) -> None:
    assert jobs.store.run(ops.drain(jobs.store.keys, "sample", epoch=1, release=names))


def call(jobs: Jobs, *names: str) -> None:
    jobs.store.run(ops.call_workers(jobs.store.keys, names))


def reports(jobs: Jobs) -> dict[str, ops.WorkerReport]:
    return jobs.store.run(ops.read_workers(jobs.store.keys))


def scene(jobs: Jobs, queue: str = "sample") -> ops.QueueScene:
    return jobs.store.run(ops.read_scenes(jobs.store.keys, [queue]))[queue]


def answers(worker: WorkerProcess, answer: tuple[int, str], timeout: float = 15) -> None:
    wait_until(lambda: worker.get("/readyz") == answer, timeout, what=f"{answer} from {worker.name}")


def started(worker: WorkerProcess) -> WorkerProcess:
    wait_until(lambda: worker.events("endpoints_listening"), 30, what="its port")
    return worker


def ready(worker: WorkerProcess) -> WorkerProcess:
    answers(started(worker), READY, 30)
    return worker


def who_ran(jobs: Jobs, job_id: JobId) -> list[str]:
    return [attempt.worker for attempt in jobs.job(job_id).attempts]


def test_a_waiting_worker_that_is_marked_and_called_gives_way_to_others(
    own_jobs: Jobs, start_worker: StartWorker
) -> None:
    marked, other = ready(start_worker(**WATCHED)), ready(start_worker(**WATCHED))
    mark(own_jobs, marked.name)
    call(own_jobs, marked.name)
    answers(marked, DRAINING, promised(2))
    wait_until(lambda: reports(own_jobs)[marked.name].paused, what="its report")
    assert marked.samples("heavylift_worker_draining") == {"": 1}

    ran = [own_jobs.run("add", a=1) for _ in range(5)]
    assert {attempt.worker for job in ran for attempt in job.attempts} == {other.name}
    assert other.get("/readyz") == READY
    assert not reports(own_jobs)[other.name].paused


def test_jobs_wait_for_a_marked_worker_and_run_once_it_is_released(own_jobs: Jobs, start_worker: StartWorker) -> None:
    worker = ready(start_worker(**WATCHED))
    mark(own_jobs, worker.name)
    call(own_jobs, worker.name)
    answers(worker, DRAINING)
    job_id = own_jobs.submit("add", a=1)
    wait_until(lambda: not scene(own_jobs).running, what="no claim")
    assert own_jobs.status(job_id) == "queued"

    release(own_jobs, worker.name)
    began = time.monotonic()
    own_jobs.ended(job_id)
    assert time.monotonic() - began < promised(1)
    answers(worker, READY)
    wait_until(lambda: not reports(own_jobs)[worker.name].paused, what="its report")


def test_a_token_that_a_marked_worker_took_goes_on_to_another(own_jobs: Jobs, start_worker: StartWorker) -> None:
    workers = [ready(start_worker(HEAVYLIFT_QUEUES="sample_b,sample", **WATCHED)) for _ in range(2)]
    marked, other = workers
    mark(own_jobs, marked.name, queues=["sample_b", "sample"])  # and not called: it finds out when it asks

    waits = []
    for _ in range(4):
        job = own_jobs.run("add", a=1)
        assert [attempt.worker for attempt in job.attempts] == [other.name]
        waits.append((job.attempts[0].started_at - job.created_at).total_seconds())
    assert max(waits) < promised(IDLE_LOOK_INTERVAL.total_seconds() / 4), waits
    answers(marked, DRAINING)


def test_a_worker_that_is_marked_before_it_starts_is_never_ready(own_jobs: Jobs, start_worker: StartWorker) -> None:
    own_jobs.submit("add", a=1)
    mark(own_jobs, "early")
    worker = started(start_worker(HEAVYLIFT_WORKER_NAME="early", **WATCHED))
    seen = set()
    wait_until(lambda: seen.add(worker.get("/readyz")[0]) or "early" in reports(own_jobs), 30, what="its report")

    assert reports(own_jobs)["early"].paused
    answers(worker, DRAINING)
    assert seen == {503}
    assert scene(own_jobs).waiting == 1
    assert scene(own_jobs).running == ()


def test_a_worker_that_is_marked_by_mistake_ends_its_job_and_takes_no_other(
    own_jobs: Jobs, start_worker: StartWorker, tmp_path: Path
) -> None:
    worker = ready(start_worker(**WATCHED))
    held = holding(own_jobs, tmp_path)
    waiting = own_jobs.submit("add", a=1)
    mark(own_jobs, worker.name)
    [running] = scene(own_jobs).running
    assert (running.uuid, running.worker, running.job_type) == (held.uuid, worker.name, "sample.hold")

    (tmp_path / "go").touch()
    job = own_jobs.ended(held)
    assert (job.status, len(job.attempts)) == ("succeeded", 1)
    answers(worker, DRAINING)
    assert own_jobs.status(waiting) == "queued"


def test_a_mark_that_nobody_renews_ends(own_jobs: Jobs, start_worker: StartWorker) -> None:
    worker = ready(start_worker(**WATCHED))
    mark(own_jobs, worker.name, seconds=5)
    call(own_jobs, worker.name)
    answers(worker, DRAINING)
    job = own_jobs.run("add", a=1, timeout=30)
    assert [attempt.worker for attempt in job.attempts] == [worker.name]


def test_a_mark_on_one_of_its_queues_pauses_a_worker(own_jobs: Jobs, start_worker: StartWorker) -> None:
    worker = ready(start_worker(HEAVYLIFT_QUEUES="sample,sample_b", **WATCHED))
    mark(own_jobs, worker.name, queues=["sample_b"])
    call(own_jobs, worker.name)
    answers(worker, DRAINING)
    job_id = own_jobs.submit("add", a=1)
    wait_until(lambda: scene(own_jobs).waiting == 1, what="its wait")
    assert own_jobs.status(job_id) == "queued"


def test_a_killed_worker_leaves_its_mark_and_report_to_who_comes_after_it(
    own_jobs: Jobs, start_worker: StartWorker
) -> None:
    first = ready(start_worker(HEAVYLIFT_WORKER_NAME="pod", **WATCHED))
    mark(own_jobs, "pod")
    call(own_jobs, "pod")
    answers(first, DRAINING)
    wait_until(lambda: "pod" in reports(own_jobs), what="its report")
    boot = reports(own_jobs)["pod"].boot
    first.kill()
    job_id = own_jobs.submit("add", a=1)

    second = started(start_worker(HEAVYLIFT_WORKER_NAME="pod", **WATCHED))
    wait_until(lambda: reports(own_jobs)["pod"].boot != boot, 30, what="the second one's report")
    assert own_jobs.status(job_id) == "queued"
    release(own_jobs, "pod")
    assert own_jobs.ended(job_id).status == "succeeded"
    answers(second, READY)


def test_a_paused_worker_outlives_an_outage_of_redis(
    own_jobs: Jobs, redis_server: RedisServer, start_worker: StartWorker
) -> None:
    worker = ready(start_worker(**WATCHED))
    mark(own_jobs, worker.name)
    call(own_jobs, worker.name)
    answers(worker, DRAINING)
    redis_server.kill()
    wait_until(lambda: worker.events("redis_is_away"), 20, what="the outage")
    assert worker.get("/readyz") == DRAINING
    redis_server.start()
    wait_until(lambda: worker.events("redis_is_back"), 20, what="its return")
    job_id = own_jobs.submit("add", a=1)
    assert worker.get("/readyz") == DRAINING

    release(own_jobs, worker.name)
    assert own_jobs.ended(job_id, 20).status == "succeeded"


def test_a_worker_reports_what_it_is_and_says_goodbye(own_jobs: Jobs, start_worker: StartWorker) -> None:
    before = time.time()
    worker = ready(start_worker(slots=2, **WATCHED))
    wait_until(lambda: worker.name in reports(own_jobs), what="its report")
    report = reports(own_jobs)[worker.name]

    assert (report.pool, report.slots, report.queues, report.paused) == ("samples", 2, ("sample",), False)
    assert before < report.booted_at <= time.time()
    wait_until(lambda: reports(own_jobs)[worker.name].beat > report.beat, 20, what="the next one")
    worker.terminate()
    assert worker.ended() == 0
    assert reports(own_jobs) == {}


def test_a_paused_worker_asks_little_of_redis_whatever_waits(own_jobs: Jobs, start_worker: StartWorker) -> None:
    worker = ready(start_worker(**WATCHED))
    mark(own_jobs, worker.name)
    call(own_jobs, worker.name)
    answers(worker, DRAINING)
    own_jobs.submit("add", a=1)

    def asked() -> int:
        """Return how many commands there were, without this test's own question."""
        stats = own_jobs.redis.info("commandstats")
        mine = {"cmdstat_info", "cmdstat_config|resetstat"}
        return sum(stat["calls"] for name, stat in stats.items() if name not in mine)

    own_jobs.redis.config_resetstat()
    began = time.monotonic()
    wait_until(lambda: asked() >= 12, 20, what="its looks")
    assert time.monotonic() - began > 2


def test_who_was_seen_idle_after_its_mark_gets_nothing_whenever_the_mark_came(
    own_jobs: Jobs, start_worker: StartWorker
) -> None:
    marked, other = (ready(start_worker(slots=2, **WATCHED)) for _ in range(2))
    for turn in range(15):
        job_ids = own_jobs.submit_many("add", [{"a": 1}] * (turn % 5 + 1))
        mark(own_jobs, marked.name)
        seen = scene(own_jobs)
        while marked.name in {running.worker for running in seen.running}:
            seen = scene(own_jobs)
        job_ids += own_jobs.submit_many("add", [{"a": 1}] * 2)
        for job_id in job_ids:
            attempts = own_jobs.ended(job_id).attempts
            late = [each for each in attempts if each.started_at.timestamp() > seen.now and each.worker == marked.name]
            assert not late, (turn, late, seen)
        release(own_jobs, marked.name)
    assert other.get("/readyz") == READY
