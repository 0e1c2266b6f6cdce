from __future__ import annotations

import signal
import time
from datetime import UTC, datetime, timedelta

import pytest

from tests.fixtures_redis import RedisServer
from tests.integration.controller.actors import LEASE, TICK, Board, Renewal
from tests.integration.controller.conftest import StartController
from tests.waiting import wait_until

pytestmark = pytest.mark.integration


def outlast_lease() -> None:
    """Let more than a lease period pass: the outage's length is what these tests are about."""
    time.sleep(LEASE * 1.3)


def test_a_dead_workers_job_is_queued_again_and_a_living_ones_is_not(
    board: Board, start_controller: StartController
) -> None:
    living, dead = board.submit(2)
    controller = start_controller()
    with Renewal(board.url, board.claim()) as renewal:
        board.claim()
        claimed = time.monotonic()
        wait_until(lambda: board.status(dead) == "queued", what="the dead worker's job in the queue")
        took = time.monotonic() - claimed
        renewal.await_beats(3)
    assert board.status(living) == "running"
    assert renewal.kept()
    assert board.history(dead) == ["queued", "running", "lost"]
    assert took >= LEASE
    reaped = controller.samples("heavylift_reaped_leases_total", "queue", "outcome")
    assert reaped == {"video queued": 1, "video failed": 0, "video cancelled": 0}


def break_by_pause(redis_server: RedisServer) -> None:
    redis_server.pause()
    outlast_lease()
    redis_server.resume()


def break_by_kill(redis_server: RedisServer) -> None:
    redis_server.kill()
    outlast_lease()
    redis_server.start()


@pytest.mark.parametrize("outage", [break_by_pause, break_by_kill])
def test_an_outage_longer_than_a_lease_takes_no_job_from_a_worker_that_comes_back(
    outage, board: Board, redis_server: RedisServer, start_controller: StartController
) -> None:
    living, silent = board.submit(2)
    controller = start_controller()
    with Renewal(board.url, board.claim()) as renewal:
        board.claim()
        controller.await_contact()
        renewal.allowed.clear()
        outage(redis_server)
        back = time.monotonic()
        controller.await_contact()
        renewal.allowed.set()  # the worker reaches Redis only after the reaper did
        wait_until(lambda: board.status(silent) == "queued", what="the silent worker's job in the queue")
        period = time.monotonic() - back
        renewal.await_beats(3)
    assert renewal.kept()
    assert board.history(living) == ["queued", "running"]
    assert period >= LEASE
    assert controller.process.poll() is None


def test_a_reaper_that_was_frozen_past_the_lease_takes_nothing_at_once(
    board: Board, start_controller: StartController
) -> None:
    [job] = board.submit()
    controller = start_controller()
    board.claim()
    controller.await_contact()
    controller.process.send_signal(signal.SIGSTOP)
    outlast_lease()
    controller.process.send_signal(signal.SIGCONT)
    resumed = time.monotonic()
    wait_until(lambda: board.status(job) == "queued", what="the job in the queue")
    assert time.monotonic() - resumed >= LEASE - 2 * TICK
    assert controller.samples("heavylift_lease_fresh_periods_total", "reason")["gap between answers"] >= 1


def test_two_controllers_release_each_due_job_and_take_each_dead_lease_once(
    board: Board, start_controller: StartController
) -> None:
    lost = board.submit(20)
    for _ in lost:
        board.claim()
    now = datetime.now(UTC)
    due = [job_id for step in range(20) for job_id in board.submit(30, run_at=now + timedelta(seconds=0.1 * step))]
    controllers = [start_controller(), start_controller()]
    keys = board.store.keys
    wait_until(lambda: not board.redis.zcard(keys.due("video")), what="the release of all due jobs")
    wait_until(lambda: not board.redis.hlen(keys.leases("video")), what="the end of all dead leases")
    wait_until(lambda: all(c.events("endpoints_listening") for c in controllers), what="both controllers' start")

    expected = {tuple(board.history(job_id)) for job_id in due}
    assert expected <= {("scheduled", "queued"), ("queued",)}  # the first step's are due when submitted
    assert {tuple(board.history(job_id)) for job_id in lost} == {("queued", "running", "lost")}
    assert sum(board.redis.llen(name) for name in keys.lists("video")) == len(due) + len(lost)
    later = sum(board.history(job_id) == ["scheduled", "queued"] for job_id in due)
    wait_until(
        lambda: sum(sum(c.samples("heavylift_released_jobs_total", "queue").values()) for c in controllers) == later,
        what="as many releases counted as happened",
    )
    reaped = [c.samples("heavylift_reaped_leases_total", "outcome").get("queued", 0) for c in controllers]
    assert sum(reaped) == len(lost)
