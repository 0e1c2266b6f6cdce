from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from heavylift.errors import StoreUnavailable
from heavylift.operations import publish_types
from heavylift.settings import Settings
from heavylift.store import Store
from heavylift_controller.queues import Queues
from heavylift_controller.reaper import Reaper
from tests.integration.controller.actors import Board, Time


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


def test_an_error_on_a_connection_that_stays_gives_a_fresh_period(board: Board, reaper: Reaper, time: Time) -> None:
    [job] = board.submit()
    board.claim()
    take_turns(reaper, time, 14)
    board.redis.acl_setuser("default", enabled=True, commands=["-hgetall"])
    try:
        with pytest.raises(StoreUnavailable):
            reaper.turn()
    finally:
        board.redis.acl_setuser("default", enabled=True, commands=["+hgetall"])
    time.now += 1
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


def publish_queues(board: Board, count: int) -> None:
    infos = [board.info.model_copy(update={"type": f"type{n}", "queue": f"queue{n}"}) for n in range(count)]
    board.store.run(publish_types(board.store.keys, infos))


@pytest.mark.parametrize("broken", [False, True], ids=["read together", "read one by one"])
def test_with_queues_so_many_that_a_turn_outlasts_the_largest_gap_dead_leases_are_still_taken(
    broken: bool, board: Board, reaper: Reaper, time: Time
) -> None:
    publish_queues(board, 300)
    if broken:
        board.redis.set(board.store.keys.leases("queue7"), "not a hash")
    time.step = 0.05  # for whatever is asked of Redis
    [job] = board.submit()
    board.claim()
    turns = 0
    while board.status(job) == "running" and turns < 30:
        with contextlib.suppress(ExceptionGroup):
            reaper.turn()
        time.now += 1
        turns += 1
    assert board.status(job) == "queued"
    assert time.now >= 15


def test_all_queues_are_read_in_a_few_round_trips(board: Board, reaper: Reaper, time: Time) -> None:
    publish_queues(board, 300)
    time.step = 0.05
    reaper.turn()
    assert time.now < 1


def test_a_break_that_one_queue_showed_gives_the_leases_of_all_a_fresh_period(
    board: Board, reaper: Reaper, time: Time
) -> None:
    publish_queues(board, 300)
    other = Board(board.url, "zebra")  # read last
    [job], [late] = board.submit(), other.submit()
    board.claim()
    other.claim()
    take_turns(reaper, time, 15)
    time.now += 3
    assert time.now == 18
    take_turns(reaper, time, 15)
    assert {board.status(job), other.status(late)} == {"running"}
    take_turns(reaper, time, 1)
    assert {board.status(job), other.status(late)} == {"queued"}
    other.store.close()


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
