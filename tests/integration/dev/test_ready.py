"""A stack is ready once a worker of its own serves, whatever an earlier one left in Redis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from heavylift import operations as ops
from heavylift.dev import StackError
from heavylift.dev.data import DataFolder
from heavylift.dev.guard import Guard
from heavylift.dev.options import POOL
from heavylift.dev.process import ProcessSpec
from heavylift.dev.ready import wait_until_ready
from heavylift.dev.supervisor import Supervisor
from heavylift.model import JobTypeInfo
from heavylift.settings import Settings
from heavylift.store import Store
from tests.scripted_api import ScriptedApi, answer

pytestmark = pytest.mark.integration

LOOKS = 600
"""Answers of the API: more than there are looks in what a test lasts."""


class Scene:
    """A supervisor, an API that is ready, and a Redis that an earlier stack has used."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.data = DataFolder(folder)
        self.data.acquire()
        self.guard = Guard(self.data.lock)
        self.store = Store.from_settings(Settings(redis_url=url))
        info = JobTypeInfo(type="left.over", queue="q", input_schema={}, output_schema={})
        self.store.run(ops.publish_types(self.store.keys, [info]))

    def report(self, worker: str) -> None:
        report = ops.WorkerReport(POOL, "b", 1, ("q",), paused=False, beat=1, booted_at=1.0, version="0")
        self.store.run(ops.report_worker(self.store.keys, worker, report))

    async def wait(self, command: Sequence[str]) -> None:
        supervisor = Supervisor(self.guard, self.data.logs, announce=lambda _: None)
        with self.guard, ScriptedApi() as api:
            api.script(*[answer({"status": "ok"})] * LOOKS)
            await supervisor.start(ProcessSpec("worker-1", command))
            try:
                await wait_until_ready(supervisor, api_url=api.url, redis_url=self.url, workers=1)
            finally:
                await supervisor.stop()


@pytest.fixture
def scene(redis_url: str, tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(redis_url, tmp_path / "data")
    yield scene
    scene.store.close()
    scene.data.release()


async def test_a_worker_that_cannot_start_is_told_although_job_types_are_left_over(scene: Scene) -> None:
    scene.report("another-host")
    with pytest.raises(StackError, match=r"worker-1 ended 3 times at its start\.[\s\S]*no such module"):
        await scene.wait(["sh", "-c", "echo no such module; exit 2"])


async def test_a_worker_that_has_reported_is_enough(scene: Scene) -> None:
    scene.report("worker-1")
    await scene.wait(["sleep", "300"])
