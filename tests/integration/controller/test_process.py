from __future__ import annotations

import time
from functools import partial

import pytest

from heavylift.operations import Outcome
from tests.fixtures_redis import RedisServer
from tests.fixtures_worker import promised
from tests.integration.controller.actors import Board
from tests.integration.controller.conftest import StartController
from tests.waiting import wait_until

pytestmark = pytest.mark.integration


def test_queue_states_are_shown_and_vanish_while_redis_is_away(
    board: Board, redis_server: RedisServer, start_controller: StartController
) -> None:
    board.submit(3)
    board.finish(board.claim(), Outcome.FAILED)
    board.claim()
    controller = start_controller(HEAVYLIFT_LEASE_PERIOD="60")
    controller.await_contact()
    expected = {"video waiting": 1, "video running": 1, "video scheduled": 0, "video dead": 1}
    assert controller.samples("heavylift_queue_jobs", "queue", "state") == expected
    assert controller.samples("heavylift_queue_oldest_age_seconds", "queue")["video"] > 0
    assert controller.samples("heavylift_swept_jobs_total", "queue") == {"video": 0}

    redis_server.kill()
    wait_until(lambda: not controller.samples("heavylift_queue_jobs", "queue", "state"), what="the gauges' end")
    assert controller.samples("heavylift_queue_oldest_age_seconds", "queue") == {}
    failed_turns = partial(controller.samples, "heavylift_controller_failed_turns_total", "loop")
    wait_until(lambda: failed_turns()["reaper"] >= 1, what="the count of its failed turns")
    assert controller.get("/")[0] == 404
    assert controller.get("/readyz")[0] == 200
    assert controller.get("/livez")[0] == 200  # restarting the controller would not bring Redis back

    redis_server.start()
    wait_until(lambda: controller.samples("heavylift_queue_jobs", "queue", "state") == expected, what="their return")
    wait_until(lambda: len(controller.events("loop_recovered")) >= 3, what="recovery in the log")


def test_a_queue_shows_zeros_before_any_worker_was_there(
    redis_server: RedisServer, start_controller: StartController
) -> None:
    controller = start_controller(HEAVYLIFT_QUEUES="video, images")
    controller.await_contact()
    states = ("waiting", "running", "scheduled", "dead")
    shown = controller.samples("heavylift_queue_jobs", "queue", "state")
    assert shown == {f"{queue} {state}": 0 for queue in ("video", "images") for state in states}
    assert controller.samples("heavylift_queue_oldest_age_seconds", "queue") == {"video": 0, "images": 0}
    assert set(controller.samples("heavylift_reaped_leases_total", "queue").values()) == {0}


def test_it_starts_before_redis_does(
    board: Board, redis_server: RedisServer, start_controller: StartController
) -> None:
    [job] = board.submit()
    board.claim()
    redis_server.kill()
    controller = start_controller()
    wait_until(lambda: controller.events("redis_lost"), what="the loss in the log")
    assert controller.get("/readyz") == (503, "waiting for Redis: reaper, scheduler, recurring, observer, sweeper\n")
    redis_server.start()
    wait_until(lambda: board.status(job) == "queued", what="the job in the queue")
    wait_until(lambda: controller.get("/readyz")[0] == 200, what="readiness")


def test_sigterm_ends_it_in_time_even_while_redis_hangs(
    board: Board, redis_server: RedisServer, start_controller: StartController
) -> None:
    controller = start_controller(HEAVYLIFT_REDIS_TIMEOUT="PT30S")
    controller.await_contact()
    redis_server.pause()
    wait_until(lambda: not controller.samples("heavylift_queue_jobs", "queue", "state"), what="loops that wait")
    began = time.monotonic()
    assert controller.stop() == 0
    assert time.monotonic() - began < promised(2)
    assert controller.events("controller_stopped")[0]["unfinished"] != []
