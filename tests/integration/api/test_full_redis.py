"""A Redis short of memory: new jobs wait outside, those under way go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from heavylift import operations as ops
from tests.fixtures_redis import RedisServer
from tests.integration.api.conftest import Api, Worker
from tests.waiting import wait_until

pytestmark = pytest.mark.integration

BODY = {"type": "echo", "input": {"n": 1}}
FULL = "urn:heavylift:problem:store-full"


@pytest.fixture
def worker(redis_server: RedisServer) -> Iterator[Worker]:
    worker = Worker(redis_server.url)
    # Beside it connections' buffers weigh nothing. Sent as one byte, so that it takes no buffers of its own.
    worker.store.redis.setrange("ballast", 20_000_000, b"x")
    yield worker
    worker.store.close()


def allow(worker: Worker, share: float) -> None:
    """Set Redis's limit so that it uses this share of it."""
    info = worker.store.redis.info("memory")
    assert isinstance(info, dict)
    worker.store.redis.config_set("maxmemory", int(info["used_memory"] / share) if share else 0)


def submits(api: httpx.Client) -> list[httpx.Response]:
    return [
        api.post("/v1/jobs", json=BODY),
        api.post("/v1/jobs:batch", json={"items": [BODY]}),
        api.post("/upload", content=b"film"),
    ]


def is_full(response: httpx.Response) -> bool:
    return response.status_code == 503 and response.json()["type"] == FULL and response.headers["retry-after"] == "10"


def test_new_jobs_are_refused_before_redis_is_full(
    start_api: Callable[..., Api], redis_server: RedisServer, worker: Worker
) -> None:
    api = start_api(redis_server.url).http
    api.post("/v1/jobs", json=BODY).raise_for_status()
    allow(worker, 0.95)
    wait_until(lambda: is_full(api.post("/v1/jobs", json=BODY)), what="the look at Redis's memory")
    assert all(map(is_full, submits(api)))
    claim = worker.claim()
    worker.progress(claim, 1)
    ending = ops.Ending(ops.Outcome.RETRYING)
    call = ops.finish(worker.keys, claim.id, claim.token, ending, attempt=1, worker="worker-1")
    assert worker.store.run(call).status == "scheduled"
    worker.store.run(ops.release_due(worker.keys, "default"))
    again = worker.claim()
    worker.finish(again)
    assert api.get(f"/v1/jobs/{again.id}").json()["status"] == "succeeded"
    allow(worker, 0)
    wait_until(lambda: submits(api)[0].status_code == 202, what="the look at Redis's memory")


def test_a_redis_that_fills_up_between_two_looks_says_so_itself(
    start_api: Callable[..., Api], redis_server: RedisServer, worker: Worker, tmp_path: Path
) -> None:
    api = start_api(redis_server.url).http
    api.get("/v1/job-types")
    worker.store.redis.config_set("maxmemory", 1)
    assert all(map(is_full, submits(api)))  # the look comes once a second: most of these are answered by the scripts
    assert [path for path in (tmp_path / "artifacts").rglob("*") if path.is_file()] == []
