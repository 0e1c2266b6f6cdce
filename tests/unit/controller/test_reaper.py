from __future__ import annotations

from collections.abc import Iterator

import pytest

from heavylift.settings import Settings
from heavylift.store import Store
from heavylift_controller.queues import Queues
from heavylift_controller.reaper import Reaper
from tests.integration.controller.actors import Board


class Time:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def board(redis_url: str) -> Iterator[Board]:
    board = Board(redis_url)
    yield board
    board.store.close()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def reaper(redis_url: str, board: Board, time: Time) -> Iterator[Reaper]:
    store = Store.from_settings(Settings(redis_url=redis_url))
    yield Reaper(store, Queues(board.store), period=15, tick=1, clock=time)
    store.close()


def take_turns(reaper: Reaper, time: Time, seconds: int) -> None:
    for _ in range(seconds):
        time.now += reaper.turn()


def test_a_lease_that_stands_still_is_taken_after_the_period(board: Board, reaper: Reaper, time: Time) -> None:
    [job] = board.submit()
    board.claim()
    take_turns(reaper, time, 15)
    assert board.status(job) == "running"
    take_turns(reaper, time, 1)
    assert board.status(job) == "queued"


def test_a_restart_too_quick_to_be_seen_as_an_error_still_gives_a_fresh_period(
    board: Board, reaper: Reaper, time: Time
) -> None:
    [job] = board.submit()
    board.claim()
    take_turns(reaper, time, 15)
    board.redis.client_kill_filter(_type="normal", skipme=True)  # as a restart does; the client reconnects in silence
    take_turns(reaper, time, 15)
    assert board.status(job) == "running"
    take_turns(reaper, time, 1)
    assert board.status(job) == "queued"


def test_a_job_lost_on_its_last_attempt_fails(board: Board, reaper: Reaper, time: Time) -> None:
    [job] = board.submit()
    for _ in range(3):
        board._claims = -1  # an idle worker: a job lost twice runs alone
        board.claim()
        take_turns(reaper, time, 16)
    assert board.status(job) == "failed"


def test_more_dead_leases_than_one_script_takes_are_all_taken(board: Board, reaper: Reaper, time: Time) -> None:
    jobs = board.submit(450)
    for _ in jobs:
        board.claim()
    take_turns(reaper, time, 16)
    assert {board.status(job) for job in jobs} == {"queued"}


def test_a_queue_with_a_broken_key_keeps_no_other_from_being_served(board: Board, reaper: Reaper, time: Time) -> None:
    broken = Board(board.url, "audio")
    broken.redis.set(broken.store.keys.leases("audio"), "not a hash")
    broken.store.close()
    [job] = board.submit()
    board.claim()
    for _ in range(16):
        with pytest.raises(ExceptionGroup, match="queues failed"):
            reaper.turn()
        time.now += 1
    assert board.status(job) == "queued"
