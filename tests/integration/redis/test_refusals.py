"""Everything Redis may answer instead of doing it: the caller hears "later", nothing is half done, later it works."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
import redis

from heavylift.errors import StoreUnavailable
from heavylift.redis_check import check_redis
from heavylift.settings import Settings
from heavylift.store import AsyncStore, Store
from tests.fixtures_redis import RedisServer, free_port
from tests.integration.redis.queue import dump, run, run_one_job, submission
from tests.waiting import wait_until

pytestmark = pytest.mark.integration

Refusal = Callable[[RedisServer], AbstractContextManager[object]]


@contextmanager
def configured(server: RedisServer, name: str, value: object, back: object) -> Generator[None]:
    with server.client() as admin:
        admin.config_set(name, value)
        yield
        admin.config_set(name, back)


def full(server: RedisServer) -> AbstractContextManager[object]:
    return configured(server, "maxmemory", 1, 0)


def too_few_replicas(server: RedisServer) -> AbstractContextManager[object]:
    return configured(server, "min-replicas-to-write", 1, 0)


@contextmanager
def too_many_clients(server: RedisServer) -> Generator[None]:
    with server.client() as admin:
        admin.client_kill_filter(_type="normal", skipme=True)
        admin.config_set("maxclients", 1)
        yield
        admin.config_set("maxclients", 100)


@contextmanager
def replica(server: RedisServer) -> Generator[None]:
    with server.client() as admin:
        admin.execute_command("REPLICAOF", "127.0.0.1", free_port())
        yield
        admin.execute_command("REPLICAOF", "NO", "ONE")


@contextmanager
def replica_that_shows_nothing_stale(server: RedisServer) -> Generator[None]:
    with server.client() as admin:
        admin.config_set("replica-serve-stale-data", "no")
        with replica(server):
            yield


@contextmanager
def disk_lost(server: RedisServer) -> Generator[None]:
    """Redis cannot save, and takes no writes while that is so."""
    with server.client() as admin:
        admin.config_set("save", "3600 1")
        in_the_way = Path(admin.config_get("dir")["dir"]) / admin.config_get("dbfilename")["dbfilename"]
        in_the_way.mkdir()
        admin.bgsave()
        wait_until(lambda: admin.info("persistence")["rdb_last_bgsave_status"] == "err", what="a failed save")
        yield
        in_the_way.rmdir()
        admin.config_set("save", "")


@contextmanager
def busy_script(server: RedisServer) -> Generator[None]:
    """A script runs for ever; Redis answers BUSY once it has run for 10 ms."""
    with server.client() as admin, server.client() as other:
        admin.config_set("lua-time-limit", 10)
        connection = other.connection_pool.get_connection()
        connection.send_command("EVAL", "while true do end", 0)
        time.sleep(0.1)  # its time limit, ten times over
        yield
        admin.script_kill()
        with pytest.raises(redis.ResponseError):
            connection.read_response()
        other.connection_pool.release(connection)


REFUSALS: dict[str, tuple[Refusal, str]] = {
    "OOM": (full, "maxmemory"),
    "NOREPLICAS": (too_few_replicas, "NOREPLICAS"),
    "maxclients": (too_many_clients, "max number of clients|Connection not ready|[Cc]losed|reset"),
    "READONLY": (replica, "read only replica"),
    "MASTERDOWN": (replica_that_shows_nothing_stale, "MASTER is down"),
    "MISCONF": (disk_lost, "MISCONF"),
    "BUSY": (busy_script, "BUSY"),
}


@pytest.fixture
def store(request: pytest.FixtureRequest) -> Store | AsyncStore:
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("store", ["sync_store", "async_store"], indirect=True)
@pytest.mark.parametrize("name", REFUSALS)
async def test_a_refusal_means_later_and_leaves_nothing_behind(
    name: str, store: Store | AsyncStore, server: RedisServer
) -> None:
    refusal, words = REFUSALS[name]
    await run_one_job(store)
    with server.client() as admin:
        before = dump(admin)

    with refusal(server), pytest.raises(StoreUnavailable, match=words):
        await run(store, submission(store.keys))

    with server.client() as admin:
        assert dump(admin) == before
    assert await run_one_job(store, number=2) == "succeeded"


@pytest.mark.parametrize("store", ["sync_store", "async_store"], indirect=True)
async def test_jobs_end_while_redis_is_full(store: Store | AsyncStore, server: RedisServer) -> None:
    from tests.integration.redis.queue import claim, success

    await run(store, submission(store.keys))
    with full(server):
        [claimed] = await run(store, claim(store.keys))
        assert (await run(store, success(store.keys, claimed))).written


@pytest.mark.parametrize("store", ["sync_store", "async_store"], indirect=True)
async def test_forgotten_scripts_are_brought_along(store: Store | AsyncStore, server: RedisServer) -> None:
    await run_one_job(store)
    with server.client() as admin:
        admin.script_flush()

    assert await run_one_job(store, number=2) == "succeeded"


async def test_a_loading_redis_is_waited_for(binary: str, tmp_path: Path) -> None:
    filled = RedisServer(tmp_path, "--rdbcompression", "no", binary=binary).start()
    with filled.client() as admin:
        for number in range(100):
            admin.set(f"other:{number}", "x" * 100_000)
        admin.save()
    filled.stop()
    # Redis 6 looks up from loading every 2 MB: five times, 0.4 s apart.
    server = RedisServer(tmp_path, "--key-load-delay", "20000", binary=binary).launch()
    store = Store.from_settings(Settings(redis_url=server.url))

    def answer() -> str:
        try:
            store.run(submission(store.keys))
        except StoreUnavailable as error:
            return str(error)
        return "accepted"

    wait_until(lambda: "loading" in answer(), what="LOADING")
    check_redis(Settings(redis_url=server.url))  # no reason to end
    wait_until(lambda: answer() == "accepted", what="the end of loading")
    store.close()
    server.stop()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("redis://127.0.0.1:1/0", "connecting to 127"),
        ("redis://no-such-host.invalid:6379/0", "no-such-host.invalid"),
        ("unix:///no/such/socket", "/no/such/socket"),
    ],
)
async def test_a_redis_that_is_not_there_means_later(url: str, words: str) -> None:
    settings = Settings(redis_url=url)
    store, async_store = Store.from_settings(settings), AsyncStore.from_settings(settings)

    with pytest.raises(StoreUnavailable, match=words):
        store.run(submission(store.keys))
    with pytest.raises(StoreUnavailable, match=words):
        await async_store.run(submission(store.keys))
    check_redis(settings)

    store.close()
    await async_store.aclose()


@pytest.mark.parametrize("store", ["sync_store", "async_store"], indirect=True)
async def test_a_silent_redis_means_later_within_the_time_limit(store: Store | AsyncStore, server: RedisServer) -> None:
    await run_one_job(store)
    server.pause()
    asked = time.monotonic()

    with pytest.raises(StoreUnavailable, match="Timeout"):
        await run(store, submission(store.keys))
    assert time.monotonic() - asked < 2
    server.resume()

    wait_until(lambda: _answers(server), what="Redis's return")
    with server.client() as admin:
        admin.flushall()
    assert await run_one_job(store, number=2) == "succeeded"


def _answers(server: RedisServer) -> bool:
    with server.client() as admin:
        return bool(admin.ping())
