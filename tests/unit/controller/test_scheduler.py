from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from heavylift.operations import Outcome, publish_types
from heavylift_controller.queues import Queues
from heavylift_controller.scheduler import BATCH, Scheduler
from tests.integration.controller.actors import Board, Time
from tests.waiting import wait_until


@pytest.fixture
def board(redis_url: str) -> Iterator[Board]:
    board = Board(redis_url)
    yield board
    board.store.close()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def scheduler(board: Board, time: Time) -> Scheduler:
    return Scheduler(board.store, Queues(board.store), tick=1, clock=time)


def script_calls(board: Board) -> int:
    return board.redis.info("commandstats")["cmdstat_evalsha"]["calls"]


@pytest.mark.parametrize(
    ("due_in", "least", "most"),
    [
        pytest.param(None, 1, 1, id="nothing scheduled: a tick"),
        pytest.param(3600, 1, 1, id="due in an hour: a tick"),
        pytest.param(0.5, 0.01, 0.5, id="due soon: until then"),
    ],
)
def test_it_sleeps_until_the_next_job_is_due_but_not_longer_than_a_tick(
    due_in, least, most, board: Board, scheduler: Scheduler
) -> None:
    if due_in:
        board.submit(run_at=datetime.now(UTC) + timedelta(seconds=due_in))
    assert least <= scheduler.turn() <= most


def test_it_goes_on_at_once_while_full_batches_come(board: Board, scheduler: Scheduler) -> None:
    board.submit(BATCH + 10, run_at=datetime.now(UTC) + timedelta(seconds=0.5))
    redis, due = board.redis, board.store.keys.due("video")
    [(_, last)] = redis.zrange(due, -1, -1, withscores=True)
    assert redis.zcard(due) == BATCH + 10
    wait_until(lambda: redis.time()[0] * 1000 + redis.time()[1] // 1000 > last, what="all due")
    assert scheduler.turn() == 0
    assert scheduler.turn() == 1
    assert redis.zcard(due) == 0


def test_a_retry_without_delay_is_released_by_the_next_turn(board: Board, scheduler: Scheduler) -> None:
    [job] = board.submit()
    board.finish(board.claim(), Outcome.RETRYING)
    assert board.status(job) == "scheduled"
    scheduler.turn()
    assert board.history(job) == ["queued", "running", "retrying", "queued"]


def test_a_busy_schedule_makes_no_other_queue_looked_at_more_often(
    board: Board, scheduler: Scheduler, time: Time
) -> None:
    others = [board.info.model_copy(update={"type": f"type{n}", "queue": f"queue{n}"}) for n in range(20)]
    board.store.run(publish_types(board.store.keys, others))
    scheduler.turn()
    board.submit(run_at=datetime.now(UTC) + timedelta(seconds=0.9))
    time.now = 1.0
    looked = script_calls(board)
    assert scheduler.turn() <= 0.9
    assert script_calls(board) - looked == 21
    time.now = 1.95
    assert scheduler.turn() == pytest.approx(0.05)
    assert script_calls(board) - looked == 22
    time.now = 2.0
    scheduler.turn()
    assert script_calls(board) - looked == 42


def test_a_queue_that_failed_is_looked_at_again_in_the_next_turn(
    board: Board, scheduler: Scheduler, time: Time
) -> None:
    due = board.store.keys.due("video")
    board.redis.set(due, "not a sorted set")
    with pytest.raises(ExceptionGroup, match="queues failed"):
        scheduler.turn()
    board.redis.delete(due)
    assert scheduler.turn() == 1
