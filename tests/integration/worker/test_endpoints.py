"""What a worker answers to probes and Prometheus, whatever happens to it and to its Redis."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.fixtures_redis import RedisServer
from tests.fixtures_worker import Jobs, StartWorker, WorkerProcess
from tests.integration.worker.holding import holding
from tests.integration.worker.stuck_jobs import BLOCK_LOOP, BLOCK_SUPERVISOR
from tests.waiting import wait_until

pytestmark = pytest.mark.integration

PATIENCE = 6
"""Seconds without a turn after which these workers count as stuck: the fewest that are allowed."""

WATCHED = {"HEAVYLIFT_METRICS_PORT": "0", "HEAVYLIFT_STALLED_AFTER": str(PATIENCE)}


def ready(worker: WorkerProcess) -> WorkerProcess:
    wait_until(lambda: worker.events("endpoints_listening"), what="its port")
    wait_until(lambda: worker.get("/readyz") == (200, "ok\n"), what="the worker")
    return worker


def stays_alive(worker: WorkerProcess, seconds: float) -> None:
    """Ask all the time, as no test that looks once could tell."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        assert worker.get("/livez") == (200, "ok\n")
        time.sleep(0.2)


@pytest.mark.parametrize("outage", ["killed", "paused"])
def test_an_outage_of_redis_makes_no_probe_fail(
    own_jobs: Jobs, redis_server: RedisServer, start_worker: StartWorker, tmp_path: Path, outage: str
) -> None:
    worker = ready(start_worker(slots=2, **WATCHED))
    job_id = holding(own_jobs, tmp_path)
    if outage == "killed":
        redis_server.kill()
    else:
        redis_server.pause()
    wait_until(lambda: worker.events("redis_is_away"), 20, what="the outage")
    stays_alive(worker, PATIENCE + 2)
    assert worker.get("/readyz")[0] == 200
    assert worker.samples("heavylift_worker_slots", "state") == {"busy": 1, "free": 1}

    if outage == "killed":
        redis_server.start()
    else:
        redis_server.resume()
    (tmp_path / "go").touch()
    assert own_jobs.ended(job_id, 20).status == "succeeded"
    own_jobs.run("add", a=1)
    wait_until(lambda: finished(worker)["sample sample.add succeeded"] == 1, what="its count")
    stays_alive(worker, PATIENCE + 1)  # with nothing to do


def test_a_worker_that_has_not_reached_redis_yet_lives_but_is_not_ready(
    redis_server: RedisServer, start_worker: StartWorker
) -> None:
    redis_server.kill()
    worker = start_worker(**WATCHED)
    wait_until(lambda: worker.events("cannot_reach_redis"), what="its first try")
    stays_alive(worker, PATIENCE + 2)
    assert worker.get("/readyz") == (503, "starting: it has not reached Redis yet\n")
    redis_server.start()
    ready(worker)


@pytest.mark.parametrize(("block", "stuck"), [(BLOCK_LOOP, "event loop"), (BLOCK_SUPERVISOR, "supervisor")])
def test_what_is_stuck_is_noticed(own_jobs: Jobs, start_worker: StartWorker, block: int, stuck: str) -> None:
    worker = ready(start_worker(modules="tests.integration.worker.stuck_jobs", **WATCHED))
    own_jobs.run("add", a=1)
    os.kill(worker.pid, block)
    wait_until(lambda: f"{stuck}: no turn for " in worker.get("/livez")[1], 3 * PATIENCE, what="the probe's failure")
    assert worker.get("/livez")[0] == 503
    worker.kill()


def test_a_drain_is_seen_until_the_last_job_has_ended(
    own_jobs: Jobs, start_worker: StartWorker, tmp_path: Path
) -> None:
    worker = ready(start_worker(slots=2, **WATCHED))
    job_id = holding(own_jobs, tmp_path)
    worker.terminate()
    wait_until(lambda: worker.get("/readyz") == (503, "draining\n"), what="the drain")
    assert worker.get("/livez")[0] == 200
    assert worker.samples("heavylift_worker_slots", "state") == {"busy": 1, "free": 0}
    assert worker.samples("heavylift_worker_draining") == {"": 1}
    wait_until(lambda: worker.samples("heavylift_worker_drains_total") == {"": 1}, what="its count")
    (tmp_path / "go").touch()
    assert own_jobs.ended(job_id).status == "succeeded"
    assert worker.ended() == 0


def finished(worker: WorkerProcess) -> dict[str, float]:
    return worker.samples("heavylift_attempts_finished_total", "queue", "type", "outcome")


def test_every_end_of_an_attempt_is_counted_once(own_jobs: Jobs, start_worker: StartWorker, tmp_path: Path) -> None:
    worker = ready(start_worker(slots=2, **WATCHED))
    at_first = finished(worker)
    assert set(at_first.values()) == {0}
    assert {name.split()[2] for name in at_first if name.startswith("sample sample.add ")} == {
        *("succeeded", "failed", "cancelled", "retrying", "lost", "released", "lease_lost", "hung"),
    }
    assert not any(name.startswith("sample_b") for name in at_first), "a queue it does not serve"

    own_jobs.run("add", a=1)
    own_jobs.run("hard", folder=tmp_path)  # killed at its limit, retried, killed again
    (tmp_path / "holding").unlink()
    cancelled = holding(own_jobs, tmp_path, "stubborn")
    own_jobs.cancel(cancelled)
    own_jobs.ended(cancelled)
    (tmp_path / "holding").unlink()
    lost = holding(own_jobs, tmp_path)
    own_jobs.reap()
    wait_until(lambda: worker.events("lease_lost"), what="the loss")
    (tmp_path / "go").touch()
    own_jobs.ended(lost)

    expected = {
        "sample.add succeeded": 1,
        "sample.hard retrying": 1,
        "sample.hard failed": 1,
        "sample.stubborn cancelled": 1,
        "sample.hold lease_lost": 1,
        "sample.hold succeeded": 1,
    }
    wait_until(lambda: finished(worker)["sample sample.hold succeeded"] == 1, what="the last count")
    assert {name.removeprefix("sample "): n for name, n in finished(worker).items() if n} == expected
    assert worker.samples("heavylift_lease_losses_total", "queue") == {"sample": 1}
    runs = worker.samples("heavylift_job_run_seconds_count", "type")
    assert {name: n for name, n in runs.items() if n} == {
        "sample.add": 1, "sample.hard": 2, "sample.stubborn": 1, "sample.hold": 2,
    }  # fmt: skip


def test_waiting_is_counted_from_the_submit_or_from_run_at(
    own_jobs: Jobs, start_worker: StartWorker, tmp_path: Path
) -> None:
    waited = own_jobs.submit("add", a=1)
    time.sleep(0.4)  # the wait that is measured
    worker = ready(start_worker(**WATCHED))
    own_jobs.ended(waited)
    name = "heavylift_job_wait_seconds_sum"
    wait_until(lambda: worker.samples(name, "type")["sample.add"] > 0.4, what="its wait")

    [scheduled] = own_jobs.submit_many(
        "note", [{"folder": tmp_path}], run_at=datetime.now(UTC) + timedelta(seconds=0.5)
    )
    own_jobs.ended(scheduled)
    counts = "heavylift_job_wait_seconds_count"
    wait_until(lambda: worker.samples(counts, "type")["sample.note"] == 1, what="its count")
    assert worker.samples(name, "type")["sample.note"] < 0.4


def test_a_worker_that_is_not_watched_loads_nothing_for_it() -> None:
    code = "import sys, heavylift_worker.worker; print('prometheus_client' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "False\n"


def test_a_child_that_is_killed_counts_as_lost(own_jobs: Jobs, start_worker: StartWorker, tmp_path: Path) -> None:
    worker = ready(start_worker(**WATCHED))
    job_id = holding(own_jobs, tmp_path)
    [pid] = [int(line.split()[1]) for line in (tmp_path / "holding").read_text().splitlines()]
    os.kill(pid, signal.SIGKILL)
    (tmp_path / "go").touch()
    own_jobs.ended(job_id)
    wait_until(lambda: finished(worker)["sample sample.hold lost"] == 1, what="its count")
    wait_until(lambda: finished(worker)["sample sample.hold succeeded"] == 1, what="the second attempt's")
