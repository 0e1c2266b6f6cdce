"""Worker processes for tests, and the side of those who submit and watch jobs.

`worker` is shared by the tests of a file that do it no harm: two slots, on a Redis of its own. `start_worker` starts
others, on the `redis_server` of a test that breaks things.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from heavylift import operations as ops
from heavylift.ids import JobId, new_job_id
from heavylift.model import TERMINAL, Job, JobTypeInfo
from heavylift.settings import Settings
from heavylift.store import Store
from tests.fixtures_redis import RedisServer
from tests.waiting import wait_until
from tests.watched import Watched

SAMPLE_JOBS = "tests.integration.worker.sample_jobs"
REPOSITORY = Path(__file__).parents[1]


class Jobs:
    """Submits jobs of the sample types and watches them."""

    def __init__(self, redis_url: str) -> None:
        from tests.integration.worker import sample_jobs

        self.store = Store.from_settings(Settings(redis_url=redis_url, redis_timeout=timedelta(seconds=5)))
        self.redis: Any = self.store.redis
        found = (value for value in vars(sample_jobs).values() if hasattr(value, "info"))
        self.infos: dict[str, JobTypeInfo] = {each.name: each.info() for each in found}

    def submit(self, name: str, /, **fields: object) -> JobId:
        return self.submit_many(name, [fields])[0]

    def submit_many(
        self, name: str, inputs: Sequence[Mapping[str, object]], *, run_at: datetime | None = None
    ) -> list[JobId]:
        info = self.infos[f"sample.{name}"]
        items = [
            ops.Submission(new_job_id(info.queue), info, json.dumps(each, default=str).encode(), run_at=run_at)
            for each in inputs
        ]
        return [each.id for each in self.store.run(ops.submit(self.store.keys, info.queue, items))]

    def job(self, job_id: JobId) -> Job:
        job = self.store.run(ops.read_job(self.store.keys, job_id))
        assert job is not None, f"{job_id} is gone"
        return job

    def status(self, job_id: JobId) -> str:
        return self.redis.hget(self.store.keys.job(*job_id), "status").decode()

    def await_status(self, job_id: JobId, status: str, timeout: float = 10) -> Job:
        wait_until(lambda: self.status(job_id) == status, timeout, what=f"{status} of {job_id}")
        return self.job(job_id)

    def ended(self, job_id: JobId, timeout: float = 10) -> Job:
        """Wait for its end, and queue its retries meanwhile, as the controller does."""

        def reached() -> bool:
            self.store.run(ops.release_due(self.store.keys, job_id.queue))
            return self.status(job_id) in TERMINAL

        wait_until(reached, timeout, what=f"the end of {job_id}")
        return self.job(job_id)

    def run(self, name: str, /, timeout: float = 10, **fields: object) -> Job:
        return self.ended(self.submit(name, **fields), timeout)

    def cancel(self, job_id: JobId) -> str:
        status = self.store.run(ops.cancel(self.store.keys, job_id))
        assert status is not None
        return status.value

    def events(self, job_id: JobId) -> list[str]:
        return [json.loads(each)["event"] for each in self.redis.lrange(self.store.keys.events(*job_id), 0, -1)]

    def calls(self, command: str) -> int:
        """Return how often Redis was told to do it."""
        return self.redis.info("commandstats")[f"cmdstat_{command}"]["calls"]

    def wake(self, queue: str = "sample") -> None:
        """Let a waiting worker look. A stock producer pushes no token: its message is found a few seconds later."""
        self.redis.lpush(self.store.keys.wake(queue), "1")

    def leases(self, queue: str = "sample") -> list[ops.Lease]:
        return self.store.run(ops.read_leases(self.store.keys, queue))

    def reap(self, queue: str = "sample") -> list[str]:
        """Take all leases back, as the controller does when they were not renewed for long."""
        return self.store.run(ops.reap(self.store.keys, queue, self.leases(queue)))


class WorkerProcess(Watched):
    """`python -m heavylift_worker`, by default with the sample jobs."""

    def __init__(self, redis_url: str, folder: Path, *, slots: int = 1, modules: str = SAMPLE_JOBS, **env: str) -> None:
        self.name = f"worker-{time.monotonic_ns()}"
        self.folder = folder
        self.log = folder / f"{self.name}.log"
        settings = {
            "HEAVYLIFT_REDIS_URL": redis_url,
            "HEAVYLIFT_ARTIFACTS_URL": f"file://{folder}/artifacts",
            "HEAVYLIFT_CONCURRENCY": str(slots),
            "HEAVYLIFT_WORKER_NAME": self.name,
            "HEAVYLIFT_QUEUES": "sample",
            "PYTHONPATH": str(REPOSITORY),
            "TMPDIR": str(folder),
        }
        command = [sys.executable, "-m", "heavylift_worker", "--jobs", modules]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, env={**os.environ, **settings, **env}, stdout=log, stderr=log, cwd=folder
            )
        self.pid = self.process.pid

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the log lines with this event."""
        return [line for line in self.lines() if line["event"] == name]

    def lines(self) -> list[dict[str, Any]]:
        texts = (line for line in self.log.read_text().splitlines() if line.startswith("{") and line.endswith("}"))
        return [json.loads(text) for text in texts]

    def children(self) -> list[int]:
        text = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [int(pid) for pid in text.split()]

    def terminate(self) -> None:
        self.process.terminate()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def ended(self, timeout: float = 10) -> int:
        return self.process.wait(timeout)

    def end(self) -> int | None:
        """Make an end of it, and return its exit code; None if it would not end when it was told to."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGCONT)
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
        try:
            return self.process.wait(8)
        except subprocess.TimeoutExpired:
            self.kill()
            return None


def promised(seconds: float) -> float:
    """Return how long what is promised within `seconds` may take here: longer where others use the cores too."""
    return seconds * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


StartWorker = Callable[..., WorkerProcess]


@pytest.fixture(scope="module")
def worker_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """The Redis of the shared worker."""
    server = RedisServer(tmp_path_factory.mktemp("worker-redis")).start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def worker(worker_redis: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerProcess]:
    """A worker with two slots that serves the queue `sample` through a file's tests, and has to end well then."""
    process = WorkerProcess(worker_redis.url, tmp_path_factory.mktemp("worker"), slots=2)
    yield process
    code = process.end()
    assert code == 0, f"exit code {code}:\n{process.log.read_text()[-4000:]}"


@pytest.fixture
def jobs(worker: WorkerProcess, worker_redis: RedisServer) -> Iterator[Jobs]:
    """Jobs for the shared worker."""
    jobs = Jobs(worker_redis.url)
    yield jobs
    wait_until(lambda: not jobs.leases(), 20, what="the worker to hold nothing that the test has left behind")
    assert worker.process.poll() is None, worker.log.read_text()[-4000:]
    jobs.store.close()


@pytest.fixture
def own_jobs(redis_server: RedisServer) -> Iterator[Jobs]:
    """Jobs on the test's own Redis."""
    jobs = Jobs(redis_server.url)
    yield jobs
    jobs.store.close()


@pytest.fixture
def start_worker(redis_server: RedisServer, tmp_path: Path) -> Iterator[StartWorker]:
    """Start workers on the test's own Redis. Those that the test did not end itself must end well after it."""
    started: list[WorkerProcess] = []

    def start(**options: Any) -> WorkerProcess:
        started.append(WorkerProcess(redis_server.url, tmp_path, **options))
        return started[-1]

    yield start
    running = [each for each in started if each.process.poll() is None]
    if redis_server.process and redis_server.process.poll() is None:
        redis_server.resume()
    codes = [each.end() for each in running]
    assert codes == [0] * len(running), [each.log.read_text()[-4000:] for each in running]
