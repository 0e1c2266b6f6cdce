from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest

from heavylift.settings import Settings
from heavylift.store import Store
from heavylift_controller.scaler.waker import APART, RETRY_SECONDS, Waker
from tests.fixtures_redis import RedisServer
from tests.integration.controller.actors import Board
from tests.waiting import wait_until

pytestmark = pytest.mark.integration

LONG = 20.0
"""Seconds that nobody waits for in these tests."""


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    stop = threading.Event()
    yield stop
    stop.set()


@pytest.fixture
def waker(redis_server: RedisServer, stop: threading.Event) -> Waker:
    """A waker that listens to the queue `video`."""
    store = Store.from_settings(Settings(redis_url=redis_server.url, redis_timeout=timedelta(seconds=0.5)))
    waker = Waker(store, lambda: ["video"], stop)
    waker.start()
    assert rested(waker) < LONG  # it has begun to listen: what came before may have been missed
    return waker


def rested(waker: Waker) -> float:
    began = time.monotonic()
    waker.rest(LONG)
    return time.monotonic() - began


def test_a_job_in_an_empty_queue_ends_the_rest(board: Board, waker: Waker) -> None:
    board.submit()
    assert rested(waker) < LONG / 2


def test_many_jobs_wake_it_ten_times_a_second_at_most(board: Board, waker: Waker, stop: threading.Event) -> None:
    def work() -> None:
        while not stop.is_set():
            board.submit()
            board.finish(board.claim())

    worker = threading.Thread(target=work)
    worker.start()
    began = time.monotonic()
    for _ in range(10):
        waker.rest(LONG)
    took = time.monotonic() - began
    stop.set()
    worker.join()
    assert 9 * APART <= took < LONG / 2


def test_it_listens_again_after_an_outage(board: Board, redis_server: RedisServer, waker: Waker) -> None:
    redis_server.kill()
    redis_server.start()
    assert rested(waker) < LONG / 2 + RETRY_SECONDS  # it has begun anew
    wait_until(lambda: board.redis.pubsub_numsub(board.store.keys.woken("video"))[0][1] == 1, what="its subscription")
    board.submit()
    assert rested(waker) < LONG / 2


def test_the_stop_ends_the_rest(waker: Waker, stop: threading.Event) -> None:
    threading.Timer(0.2, stop.set).start()
    assert rested(waker) < LONG / 2
