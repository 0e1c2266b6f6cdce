"""A user with the rights docs/redis.md names does everything; one with less is told what is missing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from heavylift import operations as ops
from heavylift.errors import ConfigurationError, StoreUnavailable
from heavylift.model import Progress
from heavylift.redis_check import check_redis
from heavylift.settings import Settings
from heavylift.store import AsyncStore, Store
from tests.fixtures_redis import RedisServer
from tests.fixtures_worker import Jobs, WorkerProcess
from tests.integration.redis.queue import INFO, QUEUE, claim, run_one_job, submission, success

pytestmark = pytest.mark.integration

DOCS = Path(__file__).parents[3] / "docs" / "redis.md"
PREFIX = "heavylift:"
PASSWORD = "correct horse"


def documented_rights() -> list[str]:
    [rule] = re.findall(r"ACL SETUSER heavylift on '>[^']+' (.*)", DOCS.read_text())
    return rule.replace("'", "").split()


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    file.write_text(PASSWORD + "\n")
    return file


@pytest.fixture
def rights(server: RedisServer) -> Iterator[list[str]]:
    """Give the user the documented rights, and after the test see that none was missing."""
    rights = documented_rights()
    with server.client() as admin:
        admin.execute_command("ACL", "SETUSER", "heavylift", "on", f">{PASSWORD}", *rights)
        yield rights


@pytest.fixture
def settings(server: RedisServer, rights: list[str], password_file: Path) -> Settings:
    url = server.url.replace("redis://", "redis://heavylift@")
    return Settings(redis_url=url, redis_password_file=password_file, key_prefix=PREFIX)


async def test_the_documented_rights_are_enough_for_every_operation(
    settings: Settings, server: RedisServer, sync_store: Store, async_store: AsyncStore
) -> None:
    check_redis(settings)
    store, keys = sync_store, sync_store.keys
    store.run(ops.publish_types(keys, [INFO]))
    store.run(ops.read_types(keys))
    assert await run_one_job(store) == "succeeded"
    assert await run_one_job(async_store, number=2) == "succeeded"
    [waiting] = store.run(submission(keys))
    store.run(ops.cancel(keys, waiting.id))
    store.run(submission(keys))
    [claimed] = store.run(claim(keys, 3))
    store.run(ops.renew(keys, QUEUE, [(claimed.id.uuid, claimed.token)]))
    store.run(ops.report_log(keys, claimed.id, claimed.token, "said", {}))
    store.run(ops.report_progress(keys, claimed.id, claimed.token, Progress(done=1, total=2, at=datetime.now(UTC))))
    store.run(ops.reap(keys, QUEUE, store.run(ops.read_leases(keys, QUEUE))))
    [again] = store.run(claim(keys, 4))
    assert store.run(success(keys, again)).written
    async with async_store.redis.pubsub() as pubsub:
        await pubsub.subscribe(keys.told(*again.id))
        await pubsub.get_message(timeout=1)

    with server.client() as admin:
        assert [entry["object"] for entry in admin.acl_log()] == []


def test_a_worker_runs_jobs_with_the_documented_rights(settings: Settings, server: RedisServer, tmp_path: Path) -> None:
    jobs = Jobs(server.url)
    jobs.store = Store.from_settings(settings)
    jobs.redis = jobs.store.redis
    worker = WorkerProcess(
        settings.redis_url,
        tmp_path,
        HEAVYLIFT_REDIS_PASSWORD_FILE=str(settings.redis_password_file),
        HEAVYLIFT_KEY_PREFIX=PREFIX,
    )

    assert jobs.run("add", a=1, timeout=20).status == "succeeded"
    assert worker.end() == 0
    assert PASSWORD not in worker.log.read_text()
    with server.client() as admin:
        assert [entry["object"] for entry in admin.acl_log()] == []
    jobs.store.close()


@pytest.mark.parametrize("password", ["f0rmer", None])
def test_a_wrong_password_ends_the_start_and_is_not_repeated(
    password: str | None, settings: Settings, server: RedisServer, password_file: Path
) -> None:
    with server.client() as admin:
        admin.execute_command("ACL", "SETUSER", "default", "resetpass", ">other")
        try:
            refused = Settings(redis_url=server.url)
            if password is not None:
                password_file.write_text(password)
                refused = settings
            with pytest.raises(ConfigurationError, match="HEAVYLIFT_REDIS_PASSWORD_FILE") as caught:
                check_redis(refused)
            assert "f0rmer" not in str(caught.value)
        finally:
            admin.execute_command("ACL", "SETUSER", "default", "nopass")


def test_a_right_that_is_missing_is_said(settings: Settings, server: RedisServer, sync_store: Store) -> None:
    with server.client() as admin:
        admin.execute_command("ACL", "SETUSER", "heavylift", "-hset", "-info")

    with pytest.raises(StoreUnavailable, match=r"docs/redis\.md"):
        sync_store.run(submission(sync_store.keys))
    with pytest.raises(ConfigurationError, match=r"docs/redis\.md"):
        check_redis(settings)


def test_a_new_password_is_taken_without_a_restart(
    settings: Settings, server: RedisServer, sync_store: Store, password_file: Path
) -> None:
    sync_store.run(submission(sync_store.keys))
    with server.client() as admin:
        admin.execute_command("ACL", "SETUSER", "heavylift", "resetpass", ">s3cond")
        admin.client_kill_filter(_type="normal", skipme=True)
    with pytest.raises(StoreUnavailable, match="HEAVYLIFT_REDIS_PASSWORD_FILE"):
        sync_store.run(submission(sync_store.keys))

    password_file.write_text("s3cond\n")
    sync_store.run(submission(sync_store.keys))
    for shown in (repr(settings), repr(sync_store.redis), repr(sync_store.redis.connection_pool)):
        assert "s3cond" not in shown
