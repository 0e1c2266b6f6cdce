"""Flower over every kind of connection the settings can ask for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fixtures_redis import RedisServer
from tests.fixtures_worker import SAMPLE_JOBS, WorkerProcess
from tests.integration.flower.conftest import FlowerProcess
from tests.integration.redis.certificates import Authority
from tests.integration.redis.proxy import Proxy
from tests.integration.redis.sentinels import sentinel_group
from tests.integration.redis.test_acl import documented_rights
from tests.waiting import wait_until

pytestmark = pytest.mark.integration


def shows_a_worker(redis_url: str, folder: Path, **env: str) -> None:
    """Start a Flower and a worker; see that the one shows the other and its queues."""
    flower = FlowerProcess(redis_url, folder, **env)
    wait_until(lambda: flower.events("listening_to_workers"), 20, what="Flower's ear")
    worker = WorkerProcess(redis_url, folder, slots=1, modules=SAMPLE_JOBS, **env)
    with flower.client() as http:
        wait_until(lambda: worker.name in http.get("/workers?json=1").text, 20, what="the worker")
        wait_until(lambda: "sample" in http.get("/broker").text, what="its queue")
    assert worker.end() == 0
    assert flower.stop() == 0


def test_with_the_documented_rights(redis_server: RedisServer, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("correct horse\n")
    with redis_server.client() as admin:
        admin.execute_command("ACL", "SETUSER", "heavylift", "on", ">correct horse", *documented_rights())
        shows_a_worker(
            redis_server.url.replace("redis://", "redis://heavylift@"),
            tmp_path,
            HEAVYLIFT_REDIS_PASSWORD_FILE=str(tmp_path / "password"),
            HEAVYLIFT_KEY_PREFIX="heavylift:",
            HEAVYLIFT_INSTALLATION="jobs/first",
        )
        assert [entry["object"] for entry in admin.acl_log()] == []


def test_over_tls(redis_server: RedisServer, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with Proxy(redis_server.port, tls=authority.server()) as proxy:
        shows_a_worker(f"rediss://127.0.0.1:{proxy.port}/0", tmp_path, HEAVYLIFT_REDIS_CA_FILE=str(authority.file))


def test_with_sentinels(tmp_path: Path) -> None:
    with sentinel_group(tmp_path) as group:
        shows_a_worker("redis://ignored/0", tmp_path, **group.env())
