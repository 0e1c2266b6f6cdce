"""A Flower process for tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fixtures_redis import RedisServer
from tests.waiting import wait_until


class FlowerProcess:
    """`python -m heavylift_flower`, on a port of its own choice."""

    def __init__(self, redis_url: str, folder: Path, **env: str) -> None:
        self.log = folder / f"flower-{time.monotonic_ns()}.log"
        settings = {"HEAVYLIFT_REDIS_URL": redis_url, "HEAVYLIFT_FLOWER_PORT": "0"}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "heavylift_flower"], env={**os.environ, **settings, **env}, stderr=log
            )

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the log lines with this event."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.endswith("}")]
        return [line for line in lines if line["event"] == name]

    @property
    def url(self) -> str:
        wait_until(lambda: self.events("flower_listening"), 20, what="Flower's start")
        return f"http://127.0.0.1:{self.events('flower_listening')[0]['port']}"

    def client(self, auth: tuple[str, str] | None = None) -> httpx.Client:
        return httpx.Client(base_url=self.url, auth=auth, trust_env=False)

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(5)


StartFlower = Callable[..., FlowerProcess]


@pytest.fixture
def start_flower(redis_server: RedisServer, tmp_path: Path) -> Iterator[StartFlower]:
    """Start Flowers, which are stopped after the test, and have to end well."""
    started: list[FlowerProcess] = []

    def start(**env: str) -> FlowerProcess:
        started.append(FlowerProcess(redis_server.url, tmp_path, **env))
        return started[-1]

    yield start
    codes = [flower.stop() for flower in started]
    assert codes == [0] * len(started), [flower.log.read_text() for flower in started]
