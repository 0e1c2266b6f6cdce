from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from heavylift.operations import Outcome
from heavylift_controller.queues import Queues
from heavylift_controller.scheduler import BATCH, Scheduler
from tests.integration.controller.actors import Board
from tests.waiting import wait_until


@pytest.fixture
def board(redis_url: str) -> Iterator[Board]:
    board = Board(redis_url)
    yield board
    board.store.close()


@pytest.fixture
def scheduler(board: Board) -> Scheduler:
    return Scheduler(board.store, Queues(board.store), tick=1)


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
