"""Failover by Sentinel, under a store alone and under the whole platform.

Replication is asynchronous: what the master accepted and had not yet passed on when it died is lost with it. The last
test bounds how much that may be; all the rest must end.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from heavylift.errors import ConfigurationError, StoreUnavailable
from heavylift.redis_check import check_redis
from heavylift.settings import Settings, load
from heavylift.store import AsyncStore, Store
from heavylift_api.settings import ApiSettings
from tests.fixtures_redis import free_port
from tests.fixtures_worker import WorkerProcess
from tests.integration.api.conftest import Api
from tests.integration.redis.queue import QUEUE, run, run_one_job, submission
from tests.integration.redis.sentinels import NAME, Group, sentinel_group
from tests.waiting import wait_until

pytestmark = pytest.mark.integration

LONGEST_OUTAGE = 12.0
"""Seconds without a 202, at most: 1 s until sentinels are sure, an election, a promotion, on a machine that is busy."""

LATEST_LOSS = 1.0
"""Seconds before the master's death: what was accepted earlier had reached the replica."""


def settings_of(group: Group, **more: object) -> Settings:
    return load(Settings, redis_sentinels=group.sentinels, redis_sentinel_master=NAME, **more)


async def accepted_soon(store: Store | AsyncStore) -> None:
    """Submit until it is accepted; each refusal must be StoreUnavailable."""
    deadline = time.monotonic() + 5
    while True:
        try:
            await run(store, submission(store.keys))
        except StoreUnavailable:
            assert time.monotonic() < deadline
        else:
            return


async def test_both_stores_follow_the_master(binary: str, tmp_path: Path) -> None:
    with sentinel_group(tmp_path, binary=binary, sentinels=2) as group:
        settings = settings_of(group)
        check_redis(settings)
        store, async_store = Store.from_settings(settings), AsyncStore.from_settings(settings)
        assert await run_one_job(store) == "succeeded"
        assert await run_one_job(async_store, number=2) == "succeeded"
        old = group.master()

        old.kill()
        wait_until(lambda: group.master() is not old, 15, what="another master")

        await accepted_soon(store)
        await accepted_soon(async_store)
        with group.master().client() as admin:
            assert admin.zcard(store.keys.index(QUEUE, "queued")) == 2
        assert len(set(map(id, async_store.redis.connection_pool.sentinel_manager.sentinels))) == 2  # ty: ignore[missing-attribute]
        store.close()
        await async_store.aclose()


async def test_sentinels_may_have_a_password_of_their_own(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("between-sentinels\n")
    with sentinel_group(tmp_path, sentinels=1, password="between-sentinels") as group:
        settings = settings_of(group, redis_sentinel_password_file=secret)
        check_redis(settings)
        store = Store.from_settings(settings)
        assert await run_one_job(store) == "succeeded"
        store.close()

        with pytest.raises(ConfigurationError, match="HEAVYLIFT_REDIS_SENTINEL_PASSWORD_FILE"):
            check_redis(settings_of(group))
        unknown = load(Settings, redis_sentinels=group.sentinels, redis_sentinel_password_file=secret)
        store = Store.from_settings(unknown)
        with pytest.raises(StoreUnavailable, match="No sentinel knows a master named 'mymaster'"):
            store.run(submission(store.keys))
        store.close()


class Producer(threading.Thread):
    """Submits a job every few milliseconds, and notes when it was accepted or what else it was told."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.accepted: dict[str, float] = {}
        self.answers: set[int] = set()
        self.stop = threading.Event()
        self._http = httpx.Client(base_url=url, trust_env=False, timeout=10)

    def run(self) -> None:
        with self._http as http:
            while not self.stop.wait(0.01):
                answer = http.post("/v1/jobs", json={"type": "sample.add", "input": {"a": 1}})
                self.answers.add(answer.status_code)
                if answer.status_code == httpx.codes.ACCEPTED:
                    self.accepted[answer.json()["id"]] = time.monotonic()

    def since(self, moment: float) -> list[float]:
        return [each for each in self.accepted.values() if each > moment]

    def outage(self) -> float:
        """Return the longest time between two accepted jobs."""
        times = sorted(self.accepted.values())
        return max(after - before for before, after in pairwise(times))


@contextmanager
def controller(env: dict[str, str], folder: Path) -> Generator[None]:
    command = [sys.executable, "-m", "heavylift_controller"]
    with (folder / "controller.log").open("wb") as log:
        process = subprocess.Popen(command, env={**os.environ, **env}, stdout=log, stderr=log, cwd=folder)
    try:
        yield
    finally:
        process.terminate()
        assert process.wait(10) == 0


def status(http: httpx.Client, job_id: str) -> str:
    answer = http.get(f"/v1/jobs/{job_id}")
    return "lost" if answer.status_code == httpx.codes.NOT_FOUND else answer.json().get("status", "unknown")


@pytest.mark.parametrize("returns", [False, pytest.param(True, marks=pytest.mark.faults)], ids=["gone", "returns"])
def test_a_masters_death_under_the_whole_platform(returns: bool, tmp_path: Path) -> None:
    with sentinel_group(tmp_path, sentinels=3) as group:
        env = {**group.env(), "HEAVYLIFT_REDIS_URL": "redis://ignored:1/0", "HEAVYLIFT_LEASE_PERIOD": "5s"}
        settings = load(
            ApiSettings,
            redis_sentinels=group.sentinels,
            redis_sentinel_master=NAME,
            port=free_port(),
            artifacts_url=f"file://{tmp_path}/artifacts",
        )
        worker = WorkerProcess("redis://ignored:1/0", tmp_path, slots=2, **group.env())
        api = Api(settings).start()
        try:
            with controller({**env, "HEAVYLIFT_ARTIFACTS_URL": settings.artifacts_url}, tmp_path):
                wait_until(lambda: "sample.add" in api.http.get("/v1/job-types").text, 20, what="the worker's types")
                producer, died_at = kill_the_master_under_load(group, api.url, returns=returns)
                left = set(producer.accepted)
                wait_until(lambda: all_ended(api.http, left), 30, what="the end of every job that is known")
                lost = [each for each in producer.accepted if status(api.http, each) == "lost"]
        finally:
            api.stop()
            code = worker.end()

    print(f"outage {producer.outage():.2f} s, {len(producer.accepted)} accepted, {len(lost)} lost")
    assert code == 0, worker.log.read_text()[-4000:]
    assert producer.answers <= {202, 503}
    assert producer.outage() < LONGEST_OUTAGE
    assert [each for each in lost if producer.accepted[each] < died_at - LATEST_LOSS] == []
    assert [each for each in lost if producer.accepted[each] > died_at] == []


def kill_the_master_under_load(group: Group, url: str, *, returns: bool) -> tuple[Producer, float]:
    producer = Producer(url)
    producer.start()
    try:
        return producer, kill_the_master(group, producer, returns=returns)
    finally:
        producer.stop.set()
        producer.join()


def kill_the_master(group: Group, producer: Producer, *, returns: bool) -> float:
    wait_until(lambda: len(producer.accepted) >= 30, what="some accepted jobs")
    old = group.master()
    old.kill()
    died_at = time.monotonic()
    wait_until(lambda: len(producer.since(died_at + 0.5)) >= 30, 20, what="jobs accepted by the new master")
    if returns:  # as a master for a moment, until the sentinels tell it otherwise
        old.start()
        with old.client() as admin:
            wait_until(lambda: admin.info("replication")["role"] == "slave", 30, what="the old master's demotion")
    return died_at


def all_ended(http: httpx.Client, left: set[str]) -> bool:
    """Take out of `left` what has ended or is lost."""
    left -= {each for each in list(left)[:50] if status(http, each) in {"succeeded", "lost"}}
    return not left
