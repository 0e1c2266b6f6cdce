from __future__ import annotations

import pytest

from heavylift.errors import StoreUnavailable
from heavylift_controller.observer import Observer, QueueStateCollector
from heavylift_controller.queues import Queues
from tests.fixtures_redis import RedisServer
from tests.integration.controller.actors import Board


def sample_count(observer: Observer) -> int:
    return sum(len(family.samples) for family in QueueStateCollector(observer).collect())


def test_an_old_observation_is_withheld(redis_url: str) -> None:
    board, now = Board(redis_url), [0.0]
    observer = Observer(board.store, Queues(board.store), tick=1, clock=lambda: now[0])
    assert sample_count(observer) == 0
    observer.turn()
    assert sample_count(observer) == 5
    now[0] = 5.0
    assert sample_count(observer) == 5
    now[0] = 5.1
    assert sample_count(observer) == 0
    board.store.close()


def test_a_failed_reading_ends_the_series_at_once(redis_server: RedisServer) -> None:
    board = Board(redis_server.url)
    observer = Observer(board.store, Queues(board.store), tick=1)
    observer.turn()
    assert sample_count(observer) == 5
    redis_server.kill()
    with pytest.raises(StoreUnavailable):
        observer.turn()
    assert sample_count(observer) == 0
    board.store.close()
