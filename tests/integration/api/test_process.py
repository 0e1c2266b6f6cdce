"""`python -m heavylift_api`: what it refuses to start with, and how it ends."""

from __future__ import annotations

import hashlib
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import structlog
from structlog.testing import capture_logs

from heavylift.constants import INSTALLATION_KEY
from heavylift_api.server import main
from tests.fixtures_redis import RedisServer, free_port
from tests.integration.api.conftest import Api, Worker
from tests.waiting import wait_until

pytestmark = pytest.mark.integration

KEY = hashlib.sha256(b"secret").hexdigest()


class Process:
    """The API as its own process."""

    def __init__(self, folder: Path, redis_url: str, **settings: str) -> None:
        self.port = free_port()
        ours = {
            "REDIS_URL": redis_url,
            "PORT": str(self.port),
            "ARTIFACTS_URL": f"file://{folder}/artifacts",
            **settings,
        }
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HEAVYLIFT_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "heavylift_api"],
            env=environment | {f"HEAVYLIFT_{name}": value for name, value in ours.items()},
            stderr=subprocess.PIPE,
            text=True,
        )
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", trust_env=False, timeout=20)

    def wait_until_up(self) -> None:
        def up() -> bool:
            assert self.process.poll() is None, self.process.communicate()[1]
            try:
                return self.http.get("/livez").status_code == 200
            except httpx.TransportError:
                return False

        wait_until(up, what="the API's start")

    def refusal(self) -> str:
        """Return what it says, having refused to start."""
        _, said = self.process.communicate(timeout=20)
        assert self.process.returncode == 2, said
        assert "Traceback" not in said
        [line] = said.splitlines()
        return line

    def end(self) -> None:
        self.http.close()
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def start(tmp_path: Path, redis_url: str) -> Iterator[Callable[..., Process]]:
    started: list[Process] = []

    def start(**settings: str) -> Process:
        started.append(Process(tmp_path, settings.pop("redis_url", redis_url), **settings))
        return started[-1]

    yield start
    for process in started:
        process.end()


@pytest.fixture
def old_redis(shared_redis: RedisServer) -> Iterator[str]:
    """The shared Redis behind a proxy that makes its version an old one."""
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_serve_as_old, args=(listener, shared_redis.port), daemon=True).start()
    yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"
    listener.close()


def _serve_as_old(listener: socket.socket, port: int) -> None:
    with listener.accept()[0] as client, socket.create_connection(("127.0.0.1", port)) as server:
        while request := client.recv(65536):
            server.sendall(request)
            reply = server.recv(65536)
            start = reply.find(b"redis_version:") + len("redis_version:")
            client.sendall(reply[:start] + b"5" + reply[start + 1 :] if b"redis_version:" in reply else reply)


@pytest.fixture
def logs_as_before() -> Iterator[None]:
    """Undo what a start does to the logs of the whole process: they would go to this test's stderr for ever."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"PORT": "x"}, "HEAVYLIFT_PORT"),
        ({"MAX_UPLOAD_SIZE": "8XB"}, "HEAVYLIFT_MAX_UPLOAD_SIZE"),
        ({"HOST": "0.0.0.0"}, "Refusing to listen on 0.0.0.0 without API keys"),
        ({"API_KEYS": "secret"}, "API key 1 is not"),
        ({"API_KEYS_FILE": "/nope"}, "HEAVYLIFT_API_KEYS_FILE"),
        ({"ARTIFACTS_URL": "ftp://x"}, "HEAVYLIFT_ARTIFACTS_URL"),
        ({"REDIS_URL": "nope"}, "HEAVYLIFT_REDIS_URL"),
        ({"QUEUE_BOUNDS": "video=1,images"}, "HEAVYLIFT_QUEUE_BOUNDS: 'images' is not queue=number"),
        ({"REDIS_FULL_AT": "90"}, "HEAVYLIFT_REDIS_FULL_AT"),
    ],
)
@pytest.mark.usefixtures("logs_as_before")
def test_bad_settings_are_one_sentence(
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    settings: dict[str, str],
    said: str,
) -> None:
    for name, value in {"REDIS_URL": redis_url, "PORT": "0", **settings}.items():
        monkeypatch.setenv(f"HEAVYLIFT_{name}", value)
    assert main() == 2
    [line] = capsys.readouterr().err.splitlines()
    assert said in line


def test_a_taken_port_is_named(start: Callable[..., Process]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = start(PORT=str(port)).refusal()
    assert f"Port {port} on 127.0.0.1 is taken" in said
    assert "HEAVYLIFT_PORT" in said


def test_an_old_redis_is_refused(start: Callable[..., Process], old_redis: str) -> None:
    said = start(redis_url=old_redis).refusal()
    assert "Redis is version 5." in said
    assert "6.2 or newer" in said


def test_a_refused_password_is_named(start: Callable[..., Process], redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        client.config_set("requirepass", "secret")
        assert "HEAVYLIFT_REDIS_PASSWORD_FILE" in start(redis_url=redis_server.url).refusal()


def test_sigterm_lets_an_upload_finish(start: Callable[..., Process], redis_url: str) -> None:
    worker = Worker(redis_url)
    api = start(SHUTDOWN_GRACE="15")
    api.wait_until_up()

    def body() -> Iterator[bytes]:
        yield b"begin"
        wait_until(lambda: "heavylift_uploads_open 1.0" in api.http.get("/metrics").text, what="the upload's start")
        api.process.send_signal(signal.SIGTERM)
        wait_until(lambda: not listens(api.port), what="the shutdown's start")
        yield b"end"

    with httpx.Client(trust_env=False, timeout=20) as client:
        response = client.post(f"http://127.0.0.1:{api.port}/upload", content=body())
    assert (response.status_code, response.json()["artifacts"][0]["size"]) == (202, 8)
    api.process.wait(10)
    assert str(worker.claim("video").id) == response.json()["id"]
    worker.store.close()


def test_an_upload_that_outlasts_the_grace_leaves_nothing(
    start: Callable[..., Process], redis_url: str, tmp_path: Path
) -> None:
    worker = Worker(redis_url)
    api = start(SHUTDOWN_GRACE="1")
    api.wait_until_up()
    with socket.create_connection(("127.0.0.1", api.port)) as client:
        client.sendall(
            b"POST /upload HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 90000000\r\n\r\n" + b"x" * 5_000_000
        )
        wait_until(lambda: "heavylift_uploads_open 1.0" in api.http.get("/metrics").text, what="the upload's start")
        api.process.send_signal(signal.SIGTERM)
        api.process.wait(15)
    assert [path for path in (tmp_path / "artifacts").rglob("*") if path.is_file()] == []
    worker.store.close()


def test_ctrl_c_ends_without_a_traceback(start: Callable[..., Process]) -> None:
    api = start()
    api.wait_until_up()
    api.process.send_signal(signal.SIGINT)
    _, said = api.process.communicate(timeout=15)
    assert api.process.returncode == 0
    assert "Traceback" not in said


def test_a_claim_that_fails_unexpectedly_is_told_and_tried_again(
    start_api: Callable[..., Api], redis_server: RedisServer
) -> None:
    with redis_server.client() as client, capture_logs() as logs:
        client.rpush(INSTALLATION_KEY, "a list, which no name is")
        api = start_api(redis_server.url, installation="ours").http
        wait_until(lambda: "claim_failed" in [entry["event"] for entry in logs], what="the failure's report")
        assert api.get("/readyz").status_code == 503
        client.delete(INSTALLATION_KEY)
        wait_until(lambda: api.get("/readyz").status_code == 200, what="readiness")


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
