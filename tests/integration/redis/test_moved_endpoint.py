"""An address that leads to another server after a failover, as managed Redis and Kubernetes Services do it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from heavylift.errors import StoreUnavailable
from heavylift.settings import Settings
from heavylift.store import AsyncStore, Store
from tests.fixtures_redis import RedisServer
from tests.fixtures_worker import Jobs, WorkerProcess
from tests.integration.redis.proxy import Proxy
from tests.integration.redis.queue import run, run_one_job, submission
from tests.waiting import wait_until

pytestmark = pytest.mark.integration


@pytest.fixture
def other(binary: str, tmp_path: Path) -> Iterator[RedisServer]:
    folder = tmp_path / "other"
    folder.mkdir()
    other = RedisServer(folder, "--repl-diskless-sync-delay", "0", binary=binary).start()
    yield other
    other.stop()


@pytest.fixture
def proxy(server: RedisServer) -> Iterator[Proxy]:
    with Proxy(server.port) as proxy:
        yield proxy


@pytest.fixture
def settings(proxy: Proxy) -> Settings:
    return Settings(redis_url=proxy.url)


def move(proxy: Proxy, old: RedisServer, new: RedisServer) -> None:
    """Demote the old master, and lead new connections to the new one. Old connections stay."""
    with old.client() as admin:
        admin.execute_command("REPLICAOF", "127.0.0.1", new.port)
        wait_until(lambda: admin.info("replication")["master_link_status"] == "up", what="the replica's link")
    proxy.target = new.port


@pytest.fixture
def store(request: pytest.FixtureRequest) -> Store | AsyncStore:
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("store", ["sync_store", "async_store"], indirect=True)
async def test_one_refusal_leads_to_the_new_master(
    store: Store | AsyncStore, proxy: Proxy, server: RedisServer, other: RedisServer
) -> None:
    assert await run_one_job(store) == "succeeded"
    move(proxy, server, other)

    with pytest.raises(StoreUnavailable, match=r"(?i)read only"):
        await run(store, submission(store.keys))
    await run(store, submission(store.keys))


def test_a_waiting_worker_follows(
    proxy: Proxy, server: RedisServer, other: RedisServer, settings: Settings, tmp_path: Path
) -> None:
    jobs = Jobs(proxy.url)
    worker = WorkerProcess(proxy.url, tmp_path)
    assert jobs.run("add", a=1, timeout=20).status == "succeeded"
    move(proxy, server, other)

    jobs.store.close()
    jobs = Jobs(proxy.url)
    assert jobs.run("add", a=1, timeout=20).status == "succeeded"
    assert worker.end() == 0
    assert worker.events("supervisor_turn_failed") == []
    jobs.store.close()
