"""Submits that come together, and job types that change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from heavylift.errors import QueueFull, StoreUnavailable
from heavylift.ids import new_job_id
from heavylift.operations import Submission, Submitted
from heavylift.settings import Settings
from heavylift.store import AsyncStore
from heavylift_api.errors import UnknownJobType
from heavylift_api.job_types import FRESH, RECHECK, STALE, JobTypes
from heavylift_api.store import BoundedStore
from heavylift_api.submitter import MAX_BATCH, Submitter
from tests.fixtures_redis import RedisServer
from tests.integration.api.conftest import ECHO, Worker

pytestmark = pytest.mark.integration


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[BoundedStore]:
    connections = AsyncStore.from_settings(Settings(redis_url=redis_url))
    yield BoundedStore(connections, timeout=timedelta(seconds=2))
    await connections.aclose()


def submission() -> Submission:
    return Submission(id=new_job_id("default"), info=ECHO, input=b'{"n":1}')


def scripts_run(worker: Worker) -> int:
    stats = worker.store.redis.info("commandstats")
    assert isinstance(stats, dict)
    return stats.get("cmdstat_evalsha", {"calls": 0})["calls"]


async def test_submits_of_one_turn_share_a_script(store: BoundedStore, worker: Worker) -> None:
    submitter = Submitter(store, bound_of=lambda _: 0)
    await submitter.submit(submission())  # loads the script
    before = scripts_run(worker)
    jobs = [submission() for _ in range(MAX_BATCH + 1)]
    results = await asyncio.gather(*(submitter.submit(job) for job in jobs))
    assert [(result.id, result.created) for result in results] == [(job.id, True) for job in jobs]
    assert scripts_run(worker) - before == 2


async def test_a_nearly_full_queue_gives_out_its_last_places(store: BoundedStore, worker: Worker) -> None:
    submitter = Submitter(store, bound_of=lambda _: 4)
    results = await asyncio.gather(*(submitter.submit(submission()) for _ in range(7)), return_exceptions=True)
    assert [type(result) for result in results] == [Submitted] * 4 + [QueueFull] * 3


async def test_a_submit_of_the_same_id_is_taken_once(store: BoundedStore, worker: Worker) -> None:
    submitter, job = Submitter(store, bound_of=lambda _: 0), submission()
    assert [(await submitter.submit(job)).created for _ in range(2)] == [True, False]


async def test_a_client_that_leaves_does_not_take_the_others_along(store: BoundedStore, worker: Worker) -> None:
    submitter = Submitter(store, bound_of=lambda _: 0)
    leaving, staying = (asyncio.ensure_future(submitter.submit(submission())) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    assert (await staying).created


async def test_every_waiting_submit_hears_of_an_outage(redis_server: RedisServer) -> None:
    connections = AsyncStore.from_settings(Settings(redis_url=redis_server.url))
    submitter = Submitter(BoundedStore(connections, timeout=timedelta(seconds=1)), bound_of=lambda _: 0)
    redis_server.stop()
    results = await asyncio.gather(*(submitter.submit(submission()) for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [StoreUnavailable] * 3
    await connections.aclose()


async def test_types_are_read_again_when_they_are_old_or_missing(store: BoundedStore, worker: Worker) -> None:
    now = 0.0
    types = JobTypes(store, clock=lambda: now)
    assert (await types.get("echo")).info == ECHO
    worker.publish(ECHO.model_copy(update={"description": "changed"}), ECHO.model_copy(update={"type": "late"}))
    now += RECHECK / 2
    with pytest.raises(UnknownJobType):
        await types.get("late")  # looked a moment ago
    assert (await types.get("echo")).info == ECHO
    now += RECHECK
    assert (await types.get("late")).info.type == "late"
    assert (await types.get("echo")).info.description == "changed"


async def test_types_survive_an_outage_until_they_are_stale(redis_server: RedisServer) -> None:
    now = 0.0
    Worker(redis_server.url).store.close()
    connections = AsyncStore.from_settings(Settings(redis_url=redis_server.url))
    types = JobTypes(BoundedStore(connections, timeout=timedelta(seconds=1)), clock=lambda: now)
    await types.get("echo")
    redis_server.stop()
    now = FRESH + 1
    assert (await types.get("echo")).info == ECHO
    now = STALE + 1
    with pytest.raises(StoreUnavailable):
        await types.get("echo")
    await connections.aclose()
