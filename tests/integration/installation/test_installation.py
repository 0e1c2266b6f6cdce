"""Two installations that were given the same Redis and key prefix: the second refuses to work, at whatever moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Barrier

import httpx
import pytest
import redis

from heavylift.errors import ConfigurationError
from heavylift.installation import Installation
from heavylift.settings import Settings
from tests.fixtures_redis import RedisServer, free_port
from tests.fixtures_worker import SAMPLE_JOBS
from tests.integration.controller.actors import Board
from tests.waiting import wait_until

pytestmark = pytest.mark.integration

TOLD = -signal.SIGTERM
"""How uvicorn ends a process that was told to end."""

ROOT = Path(__file__).parents[3]
SERVICES = ("heavylift_api", "heavylift_controller", "heavylift_worker")
SAID = {"heavylift_api": "heavylift_api: ", "heavylift_controller": "heavylift-controller: "}
BEGUN = {
    "heavylift_api": "listening",
    "heavylift_controller": "controller_started",
    "heavylift_worker": "worker_ready",
}


class Service:
    """One service as a process of an installation."""

    def __init__(self, name: str, redis_url: str, folder: Path, installation: str, **env: str) -> None:
        self.name = name
        self.port = free_port()
        self.log = folder / f"{name}.log"
        port = "HEAVYLIFT_PORT" if name == "heavylift_api" else "HEAVYLIFT_METRICS_PORT"
        settings = {
            "HEAVYLIFT_REDIS_URL": redis_url,
            "HEAVYLIFT_ARTIFACTS_URL": f"file://{folder}/artifacts",
            "HEAVYLIFT_INSTALLATION": installation,
            "HEAVYLIFT_JOBS": SAMPLE_JOBS,
            "HEAVYLIFT_STALLED_AFTER": "6s",
            "PYTHONPATH": str(ROOT),
            "TMPDIR": str(folder),
            port: str(self.port),
            **env,
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", name], env={**os.environ, **settings}, stdout=log, stderr=log
            )

    @property
    def said(self) -> str:
        return self.log.read_text()

    def works(self) -> bool:
        return f'"event": "{BEGUN[self.name]}"' in self.said

    def status(self, path: str) -> int:
        with suppress(httpx.TransportError):
            return httpx.get(f"http://127.0.0.1:{self.port}{path}", trust_env=False).status_code
        return 0

    def refused(self) -> str:
        """Return the sentence it ended with."""
        assert self.process.wait(20) == 2, self.said
        [sentence] = [line for line in self.said.splitlines() if "belongs to" in line and not line.startswith("{")]
        assert sentence.startswith(SAID.get(self.name, "heavylift-worker: "))
        return sentence


Start = Callable[..., Service]


@pytest.fixture
def start(redis_server: RedisServer, tmp_path: Path) -> Iterator[Start]:
    started: list[Service] = []

    def start(name: str, installation: str, **env: str) -> Service:
        started.append(Service(name, redis_server.url, tmp_path, installation, **env))
        return started[-1]

    yield start
    for service in started:
        if service.process.poll() is None:
            service.process.send_signal(signal.SIGTERM)
    codes = {service.process.wait(10) for service in started}
    assert codes <= {0, 2, TOLD}, [service.said for service in started]


def claim(server: RedisServer, installation: str) -> None:
    assert Installation(Settings(redis_url=server.url, installation=installation)).claim()


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_of_another_installation_refuses_and_says_what_helps(
    name: str, redis_server: RedisServer, start: Start
) -> None:
    claim(redis_server, "jobs/first")
    sentence = start(name, "jobs/second").refused()
    for part in ("jobs/first", "jobs/second", "HEAVYLIFT_KEY_PREFIX", "redis-cli -n 0 DEL hl:installation"):
        assert part in sentence

    with redis_server.client() as client:
        client.delete("hl:installation")
    again = start(name, "jobs/second")
    wait_until(again.works, 20, what="its start after the release")


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_that_started_before_redis_refuses_once_it_is_there(
    name: str, redis_server: RedisServer, start: Start
) -> None:
    claim(redis_server, "jobs/first")
    with redis_server.client() as client:
        before = set(client.keys())
    redis_server.kill()
    service = start(name, "jobs/second")
    wait_until(lambda: "claim_waits_for_redis" in service.said, 20, what="its first try")
    wait_until(lambda: service.status("/livez") == 200, what="its liveness")
    assert service.status("/readyz") == 503
    redis_server.start()
    assert "jobs/first" in service.refused()
    with redis_server.client() as client:
        assert set(client.keys()) == before, "it has worked with a Redis that is not its own"


def test_the_api_accepts_no_job_before_it_knows_whose_redis_it_is(redis_server: RedisServer, start: Start) -> None:
    claim(redis_server, "jobs/first")
    Board(redis_server.url).store.close()  # which publishes a job type
    redis_server.kill()
    service = start("heavylift_api", "jobs/second")
    wait_until(lambda: service.status("/livez") == 200, 20, what="its liveness")
    redis_server.start()
    statuses = set()

    def ended() -> bool:
        with suppress(httpx.TransportError):
            jobs = f"http://127.0.0.1:{service.port}/v1/jobs"
            statuses.add(httpx.post(jobs, json={"type": "video.test", "input": {}}, trust_env=False).status_code)
        return service.process.poll() is not None

    wait_until(ended, 20, what="its refusal")
    assert statuses == {503}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_that_started_before_redis_works_once_it_is_there(
    name: str, redis_server: RedisServer, start: Start
) -> None:
    redis_server.kill()
    service = start(name, "jobs/first")
    wait_until(lambda: "claim_waits_for_redis" in service.said, 20, what="its first try")
    redis_server.start()
    wait_until(lambda: service.status("/readyz") == 200, 20, what="its readiness")
    with redis_server.client() as client:
        assert client.get("hl:installation") == b"jobs/first"


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_that_waits_for_redis_ends_when_it_is_told_to(
    name: str, redis_server: RedisServer, start: Start
) -> None:
    redis_server.kill()
    service = start(name, "jobs/first")
    wait_until(lambda: "claim_waits_for_redis" in service.said, 20, what="its first try")
    wait_until(lambda: service.status("/livez") == 200, what="its signals' handlers")
    service.process.terminate()
    assert service.process.wait(10) in {0, TOLD}


def test_another_key_prefix_is_another_place(redis_server: RedisServer, start: Start) -> None:
    claim(redis_server, "jobs/first")
    service = start("heavylift_controller", "jobs/second", HEAVYLIFT_KEY_PREFIX="second:")
    wait_until(service.works, 20, what="its start")
    with redis_server.client() as client:
        assert client.get("second:hl:installation") == b"jobs/second"
        assert client.get("hl:installation") == b"jobs/first"


def test_of_those_that_come_at_the_same_time_one_wins(redis_url: str) -> None:
    count = 12
    together = Barrier(count)

    def come(number: int) -> bool:
        installation = Installation(Settings(redis_url=redis_url, installation=f"jobs/{number}"))
        together.wait()
        try:
            return installation.claim()
        except ConfigurationError:
            return False

    for _ in range(5):
        with redis.Redis.from_url(redis_url) as client, ThreadPoolExecutor(count) as pool:
            client.delete("hl:installation")
            assert sum(pool.map(come, range(count))) == 1


def test_without_a_name_nothing_is_claimed(redis_url: str) -> None:
    assert Installation(Settings(redis_url=redis_url)).claim()
    with redis.Redis.from_url(redis_url) as client:
        assert client.keys() == []


def test_an_owner_is_known_while_redis_is_full(redis_server: RedisServer) -> None:
    claim(redis_server, "jobs/first")
    with redis_server.client() as client:
        client.config_set("maxmemory", 1)
    claim(redis_server, "jobs/first")
