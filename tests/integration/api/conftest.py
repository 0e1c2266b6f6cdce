"""The real application on a real Redis, served by uvicorn; `worker` does what a worker does to the store."""

from __future__ import annotations

import asyncio
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from heavylift import operations as ops
from heavylift.ids import JobId, parse_job_id
from heavylift.model import Artifact, JobTypeInfo, Progress
from heavylift.settings import Settings, load
from heavylift.store import Store
from heavylift_api.app import create_app
from heavylift_api.server import ApiServer, listen, server_config
from heavylift_api.settings import ApiSettings
from tests.fixtures_redis import RedisServer
from tests.waiting import wait_until

ECHO = JobTypeInfo(
    type="echo",
    queue="default",
    input_schema={
        "type": "object",
        "properties": {"n": {"type": "integer"}, "tags": {"type": "array", "items": {"type": "string"}}},
        "required": ["n"],
        "additionalProperties": False,
    },
    output_schema={"type": "null"},
)
FILM = JobTypeInfo(
    type="video.transcode",
    queue="video",
    input_schema={
        "type": "object",
        "properties": {"source": {"type": "string"}, "height": {"type": "integer"}},
        "required": ["source"],
        "additionalProperties": False,
    },
    output_schema={"type": "null"},
    file_field="source",
)


class Api:
    """A running API."""

    def __init__(self, settings: ApiSettings) -> None:
        self.settings = settings
        self.listener = listen(settings.host, settings.port)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        app = create_app(settings, keys=settings.keys())
        self.server = ApiServer(server_config(app, settings))
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.listener]})
        self.http = httpx.Client(base_url=self.url, trust_env=False, timeout=20)

    def start(self) -> Api:
        self.thread.start()
        wait_until(lambda: self.server.started, what="the API's start")
        return self

    def stop(self) -> None:
        self.http.close()
        self.server.should_exit = True
        self.thread.join(20)
        assert not self.thread.is_alive(), self.describe()

    def describe(self) -> str:
        """Return what a server that does not end is waiting for."""
        loop = self.server.servers[0].get_loop()
        state = self.server.server_state
        parts = [f"connections: {state.connections}, requests: {state.tasks}"]
        for task in asyncio.all_tasks(loop):
            lines = [line for frame in task.get_stack() for line in traceback.format_stack(frame, limit=1)]
            parts.append(f"{task}\n{''.join(lines)}")
        parts += ["".join(traceback.format_stack(frame)) for frame in sys._current_frames().values()]
        return "\n".join(parts)


class Worker:
    """Drives the store as a worker does."""

    def __init__(self, url: str) -> None:
        self.store = Store.from_settings(Settings(redis_url=url))
        self.keys = self.store.keys
        self.publish(ECHO, FILM)

    def publish(self, *infos: JobTypeInfo) -> None:
        self.store.run(ops.publish_types(self.keys, infos))

    def claim(self, queue: str = "default") -> ops.Claim:
        claimant = ops.Claimant("worker-1", "boot-1")
        [claim] = self.store.run(ops.claim(self.keys, queue, claimant, number=1, slots=1, busy=0))
        return claim

    def progress(self, claim: ops.Claim, done: float, total: float = 10) -> None:
        progress = Progress(done=done, total=total, at=datetime.now(UTC))
        assert self.store.run(ops.report_progress(self.keys, claim.id, claim.token, progress))

    def log(self, claim: ops.Claim, text: str) -> None:
        assert self.store.run(ops.report_log(self.keys, claim.id, claim.token, text, {}))

    def finish(self, claim: ops.Claim, *artifacts: Artifact, output: bytes = b"null") -> None:
        ending = ops.Ending(ops.Outcome.SUCCEEDED, output=output, artifacts=artifacts)
        call = ops.finish(self.keys, claim.id, claim.token, ending, attempt=claim.attempt, worker="worker-1")
        assert self.store.run(call).written


def id_of(response: httpx.Response) -> JobId:
    return parse_job_id(response.json()["id"])


@pytest.fixture(scope="session")
def shared_api(shared_redis: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder = tmp_path_factory.mktemp("artifacts")
    api = Api(ApiSettings(redis_url=shared_redis.url, port=0, artifacts_url=f"file://{folder}")).start()
    yield api
    api.stop()


@pytest.fixture
def worker(redis_url: str) -> Iterator[Worker]:
    worker = Worker(redis_url)
    yield worker
    worker.store.close()


@pytest.fixture
def api(shared_api: Api, worker: Worker) -> httpx.Client:
    """A client of an API on a clean Redis with the types ECHO and FILM published."""
    return shared_api.http


@pytest.fixture
def start_api(tmp_path: Path) -> Iterator[Callable[..., Api]]:
    """Start an API with settings of the test's own."""
    started: list[Api] = []

    def start(redis_url: str, **settings: object) -> Api:
        given = {"artifacts_url": f"file://{tmp_path}/artifacts", "port": 0, **settings}
        started.append(Api(load(ApiSettings, redis_url=redis_url, **given)).start())
        return started[-1]

    yield start
    for api in started:
        api.stop()
