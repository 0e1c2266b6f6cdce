"""The controller as a process, where scaling is on or was: when it wakes, and what it leaves behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from heavylift import operations as ops
from heavylift.operations import local
from heavylift.operations.local import LocalOrder, LocalReport
from heavylift_controller.scaler import status
from heavylift_controller.scaler.status import PoolStatus
from tests.fixtures_redis import RedisServer
from tests.fixtures_worker import promised
from tests.integration.controller.actors import Board
from tests.integration.controller.conftest import StartController
from tests.waiting import wait_until

pytestmark = pytest.mark.integration


def pools_file(folder: Path) -> str:
    file = folder / "pools.json"
    file.write_text(json.dumps({"pools": {"video": {"queues": {"video": {}}, "max": 4}}}))
    return str(file)


def stack_without_processes(board: Board) -> None:
    """Let the pool exist on this machine, with a stack that starts nothing."""
    board.store.run(local.reset_order(board.store.keys, "video", LocalOrder(0)))
    report = LocalReport(time.time(), LocalOrder(0), ())
    board.store.run(local.report_processes(board.store.keys, "video", report))


def published(board: Board) -> PoolStatus | None:
    text = board.store.run(ops.read_pools(board.store.keys)).get("video")
    return status.load(text) if text else None


def ordered(board: Board) -> int:
    return board.store.run(local.read_orders(board.store.keys))["video"].replicas


def test_a_job_in_an_empty_queue_is_answered_at_once_and_not_with_the_next_tick(
    board: Board, start_controller: StartController, tmp_path: Path
) -> None:
    stack_without_processes(board)
    start_controller(HEAVYLIFT_SCALING="local", HEAVYLIFT_POOLS_FILE=pools_file(tmp_path), HEAVYLIFT_SCALING_TICK="2s")
    wait_until(lambda: published(board), what="the first decision")
    took = []
    for _ in range(3):
        before = published(board)
        wait_until(lambda before=before: published(board) != before, what="a tick")  # the next is 2 s away
        stack_without_processes(board)
        began = time.monotonic()
        [job] = board.submit()
        wait_until(lambda: ordered(board) == 1, what="a worker asked for", every=0.01)
        took.append(time.monotonic() - began)
        board.finish(board.claim())
        assert board.status(job) == "succeeded"
        stack_without_processes(board)
    assert min(took) < promised(0.5), took


def test_where_nothing_scales_left_over_marks_are_taken_back(
    board: Board, redis_server: RedisServer, start_controller: StartController
) -> None:
    board.store.run(ops.drain(board.store.keys, "video", epoch=40, mark=["worker-1"]))
    redis_server.kill()
    controller = start_controller()  # it does so as soon as it can
    redis_server.start()

    def marked() -> dict[str, float]:
        return dict(board.store.run(ops.read_scenes(board.store.keys, ["video"]))["video"].draining)

    wait_until(lambda: not marked(), 30, what="the end of the marks")  # an older controller may be about to act
    wait_until(lambda: controller.events("left_over_marks_taken_back"), what="the log line")


def test_where_nothing_scales_a_pool_that_was_scaled_long_ago_is_shown_no_more_and_its_orders_are_void(
    board: Board, start_controller: StartController
) -> None:
    board.submit()  # so that there is a queue to read the time from

    def publish(name: str, decided_at: float) -> None:
        known = PoolStatus(name, ("video",), 0, 0, 0.0, 1, 1, 1, (), "min", "", decided_at=decided_at)
        board.store.run(ops.publish_pools(board.store.keys, {name: status.dump(known)}))
        board.store.run(ops.steer(board.store.keys, name, b"{}", matters=["number"]))

    publish("old", time.time() - 120)
    publish("new", time.time() + 60)
    start_controller()
    wait_until(lambda: set(board.store.run(ops.read_pools(board.store.keys))) == {"new"}, what="the old one gone")
    assert set(board.store.run(ops.read_steering(board.store.keys))) == {"new"}


def test_scaling_without_pools_or_with_wrong_ones_ends_the_process_with_a_sentence(
    redis_url: str, tmp_path: Path
) -> None:
    wrong = tmp_path / "pools.json"
    wrong.write_text('{"pools": {"video": {"queues": {}}}}')
    cases = ((None, "HEAVYLIFT_POOLS_FILE"), (wrong, "pools.video.queues"), (tmp_path / "no", "No such file"))
    for file, told in cases:
        env = {**os.environ, "HEAVYLIFT_REDIS_URL": redis_url, "HEAVYLIFT_SCALING": "local"}
        env |= {"HEAVYLIFT_POOLS_FILE": str(file)} if file else {}
        command = [sys.executable, "-m", "heavylift_controller"]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=30, check=False)
        assert (done.returncode, told in done.stderr) == (2, True), done.stderr
