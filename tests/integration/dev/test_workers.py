"""The stack's workers follow the controller's orders; here programs that do nothing stand for them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from heavylift import operations as ops
from heavylift.dev.data import DataFolder
from heavylift.dev.guard import Guard
from heavylift.dev.options import POOL, PoolOptions
from heavylift.dev.process import ProcessSpec
from heavylift.dev.supervisor import Supervisor
from heavylift.dev.workers import Workers
from heavylift.model import JobTypeInfo
from heavylift.operations import local
from heavylift.operations.local import LocalOrder, LocalReport
from heavylift.settings import Settings
from heavylift.store import AsyncStore, Store
from tests.fixtures_redis import RedisServer
from tests.processes import members
from tests.waiting import wait_until

pytestmark = pytest.mark.integration


class Scene:
    """A supervisor with workers, and the controller's side of Redis."""

    def __init__(self, url: str, folder: Path, *, least: int = 1, most: int = 4) -> None:
        self.said: list[str] = []
        self.store = Store.from_settings(Settings(redis_url=url))
        self.keys = self.store.keys
        self.data = DataFolder(folder)
        self.data.acquire()
        self.guard = Guard(self.data.lock)
        self.guard.__enter__()
        self.supervisor = Supervisor(self.guard, self.data.logs, announce=self.said.append)
        self.workers = Workers(
            self.supervisor,
            lambda name: ProcessSpec(name, ["sleep", "300"]),
            pool=PoolOptions(least, most, 5.0),
            store=AsyncStore.from_settings(Settings(redis_url=url)),
            pools_file=self.data.pools,
            announce=self.said.append,
        )

    async def close(self) -> None:
        await self.workers.stop()
        await self.supervisor.stop()
        self.guard.__exit__(None, None, None)
        self.data.release()
        self.store.close()

    def order(self, replicas: int, *first: str) -> None:
        """Order a number as a controller does that leads."""
        self.store.run(local.lead(self.keys, "test", seconds=60))
        read = self.store.run(local.read_orders(self.keys))[POOL]
        written = self.store.run(
            local.write_order(self.keys, "test", POOL, read=read, order=LocalOrder(replicas, first))
        )
        assert written is local.Written.DONE

    def report(self) -> LocalReport:
        nothing = LocalReport(0.0, LocalOrder(0), ())
        return self.store.run(local.read_processes(self.keys)).get(POOL, nothing)

    def staying(self) -> list[str]:
        return [process.name for process in self.report().processes if not process.leaving]

    def follows(self, replicas: int) -> bool:
        return self.report().order.replicas == replicas

    def pools(self) -> dict:
        return json.loads(self.data.pools.read_text())["pools"]


async def until(predicate: Callable[[], object], what: str) -> None:
    await asyncio.to_thread(wait_until, predicate, 20, what=what)


@pytest.fixture
async def scene(redis_url: str, tmp_path: Path) -> AsyncIterator[Scene]:
    scene = Scene(redis_url, tmp_path / "data")
    yield scene
    await scene.close()


async def test_the_least_are_there_from_the_start_and_more_when_ordered(scene: Scene) -> None:
    await scene.workers.start()
    assert list(scene.supervisor.processes) == ["worker-1"]
    await until(lambda: scene.staying() == ["worker-1"], "the first report")
    scene.order(3)
    await until(lambda: scene.staying() == ["worker-1", "worker-2", "worker-3"], "two more")
    assert scene.said == [f"worker-{number} is started: there are to be 3" for number in (2, 3)]


async def test_only_who_is_the_first_to_go_ends(scene: Scene) -> None:
    await scene.workers.start()
    scene.order(3)
    await until(lambda: len(scene.staying()) == 3, "three workers")
    pids = {name: process.pid for name, process in scene.supervisor.processes.items()}
    scene.order(1, "worker-2", "worker-9")
    await until(lambda: scene.staying() == ["worker-1", "worker-3"], "the end of one")
    await until(lambda: set(scene.supervisor.processes) == {"worker-1", "worker-3"}, "its end")
    assert members(pids["worker-2"] or 0) == []
    assert scene.supervisor.processes["worker-3"].pid == pids["worker-3"]
    scene.order(2)
    await until(lambda: scene.follows(2), "the next order")
    assert scene.staying() == ["worker-1", "worker-3"]
    scene.order(3)
    await until(lambda: scene.staying() == ["worker-1", "worker-3", "worker-4"], "one with a new name")


async def test_a_worker_that_dies_is_reported_as_what_it_is(scene: Scene) -> None:
    await scene.workers.start()
    await until(lambda: scene.staying() == ["worker-1"], "the first report")
    [before] = scene.report().processes
    pid = scene.supervisor.processes["worker-1"].pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    await until(lambda: scene.report().processes[0].restarts == 1 and scene.report().processes[0].up, "its restart")
    [after] = scene.report().processes
    assert (after.created_at, after.name) == (before.created_at, before.name)
    assert after.started_at > before.started_at


async def test_a_redis_that_forgot_everything_ends_nobody_and_is_told_what_there_is(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    scene = Scene(redis_server.url, tmp_path / "data")
    await scene.workers.start()
    await until(lambda: scene.staying() == ["worker-1"], "the first report")
    pid = scene.supervisor.processes["worker-1"].pid
    scene.order(2)
    await until(lambda: scene.staying() == ["worker-1", "worker-2"], "the next one")
    scene.store.redis.flushall()
    await until(lambda: scene.store.run(local.read_orders(scene.keys)) == {POOL: LocalOrder(2)}, "the order")
    await until(lambda: scene.staying() == ["worker-1", "worker-2"] and scene.follows(2), "a report")
    assert scene.supervisor.processes["worker-1"].pid == pid
    scene.order(3)
    await until(lambda: scene.staying() == ["worker-1", "worker-2", "worker-3"], "the one after that")
    await scene.close()


async def test_the_pool_has_the_queues_that_its_workers_report(scene: Scene) -> None:
    await scene.workers.start()
    report = ops.WorkerReport(POOL, "b", 1, ("video", "images"), paused=False, beat=1, booted_at=1.0, version="0")
    scene.store.run(ops.report_worker(scene.keys, "worker-1", report))
    await until(scene.data.pools.exists, "the file of the pools")
    pool = scene.pools()[POOL]
    assert (sorted(pool["queues"]), pool["min"], pool["max"], pool["slots"]) == (["images", "video"], 1, 4, 1)


async def test_what_redis_knows_of_the_stack_before_holds_for_nobody(scene: Scene) -> None:
    run, keys = scene.store.run, scene.keys
    info = JobTypeInfo(type="t", queue="q", input_schema={}, output_schema={})
    run(ops.publish_types(keys, [info]))
    assert run(ops.drain(keys, "q", epoch=7, mark=["worker-1", "pod-x"]))
    report = ops.WorkerReport(POOL, "b", 1, ("q",), paused=True, beat=1, booted_at=1.0, version="0")
    for name in ("worker-1", "pod-x"):
        run(ops.report_worker(keys, name, report))
    await scene.workers.start()
    assert set(run(ops.read_scenes(keys, ["q"]))["q"].draining) == {"pod-x"}
    assert set(run(ops.read_workers(keys))) == {"pod-x"}
