"""A controller process for tests, on a Redis that may be broken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fixtures_redis import RedisServer
from tests.integration.controller.actors import Board, ControllerProcess

StartController = Callable[..., ControllerProcess]


@pytest.fixture
def board(redis_server: RedisServer) -> Iterator[Board]:
    board = Board(redis_server.url)
    yield board
    board.store.close()


@pytest.fixture
def start_controller(redis_server: RedisServer, tmp_path: Path) -> Iterator[StartController]:
    """Start controllers, which are stopped after the test, and have to end well."""
    started: list[ControllerProcess] = []

    def start(**env: str) -> ControllerProcess:
        started.append(ControllerProcess(redis_server.url, tmp_path, **env))
        return started[-1]

    yield start
    codes = [controller.stop() for controller in started]
    assert codes == [0] * len(started), [controller.log.read_text() for controller in started]
