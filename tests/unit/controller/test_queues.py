from __future__ import annotations

from collections.abc import Iterator

import pytest

from heavylift.errors import StoreUnavailable
from heavylift.operations import publish_types
from heavylift.settings import Settings
from heavylift.store import Store
from heavylift_controller.queues import Queues
from tests.fixtures_redis import RedisServer
from tests.integration.controller.actors import Board


@pytest.fixture
def board(redis_url: str) -> Iterator[Board]:
    board = Board(redis_url)
    yield board
    board.store.close()


def test_a_queue_whose_job_type_moved_away_stays_known(board: Board) -> None:
    now = [0.0]
    queues = Queues(board.store, clock=lambda: now[0])
    assert queues.names() == ["video"]
    board.store.run(publish_types(board.store.keys, [board.info.model_copy(update={"queue": "audio"})]))
    assert queues.names() == ["video"]
    now[0] = 3.0
    assert queues.names() == ["audio", "video"]


def test_another_controller_knows_a_queue_whose_job_type_moved_away(board: Board) -> None:
    board.store.run(publish_types(board.store.keys, [board.info.model_copy(update={"queue": "audio"})]))
    assert Queues(board.store).names() == ["audio", "video"]


def test_a_broken_job_type_hides_no_queue(board: Board) -> None:
    board.redis.hset(board.store.keys.types, "bad", "{}")
    assert Queues(board.store).names() == ["video"]


def test_without_redis_there_are_no_names(redis_server: RedisServer) -> None:
    store = Store.from_settings(Settings(redis_url=redis_server.url))
    redis_server.kill()
    with pytest.raises(StoreUnavailable):
        Queues(store).names()
    store.close()
