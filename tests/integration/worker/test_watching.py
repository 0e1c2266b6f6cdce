"""What others see of a worker: Flower's events, an idle Redis, the command line."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from celery.events import EventReceiver
from celery.events.state import State

from tests.fixtures_redis import RedisServer
from tests.fixtures_worker import REPOSITORY, SAMPLE_JOBS, Jobs, StartWorker, WorkerProcess, promised
from tests.waiting import wait_until

pytestmark = pytest.mark.integration


class Watcher:
    """What Flower is made of: Celery's event receiver, and the state it keeps."""

    def __init__(self, url: str) -> None:
        self.state = State()
        self.events: list[dict[str, Any]] = []
        self.app = Celery("flower", broker=url, set_as_current=False)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        with self.app.connection_for_read() as connection:
            receiver = EventReceiver(connection, handlers={"*": self._note}, app=self.app)
            while not self._stop.is_set():
                try:
                    receiver.capture(limit=None, timeout=0.1, wakeup=False)
                except TimeoutError:
                    continue

    def _note(self, event: dict[str, Any]) -> None:
        self.events.append(event)
        self.state.event(event)

    def close(self) -> None:
        self._stop.set()
        self._thread.join(10)
        self.app.close()


@pytest.fixture
def watcher(worker_redis: RedisServer) -> Iterator[Watcher]:
    watcher = Watcher(worker_redis.url)
    with worker_redis.client() as client:
        wait_until(lambda: client.pubsub_numpat() or client.pubsub_channels("*celeryev*"), what="the subscription")
    yield watcher
    watcher.close()


def test_flower_sees_how_jobs_end(jobs: Jobs, worker: WorkerProcess, watcher: Watcher) -> None:
    good, bad = jobs.run("add", a=2, b=3), jobs.run("fail", how="failed")
    wait_until(lambda: len(watcher.state.tasks) >= 2, what="both events")

    task = watcher.state.tasks[good.id]
    assert (task.name, task.state, task.worker.hostname) == ("sample.add", "SUCCESS", worker.name)
    assert abs(task.received - good.created_at.timestamp()) < 1
    assert 0 <= task.runtime < 5
    failed = watcher.state.tasks[bad.id]
    assert (failed.state, failed.exception) == ("FAILURE", "The picture has no pixels.")


def test_an_idle_worker_asks_redis_less_than_once_a_second(own_jobs: Jobs, start_worker: StartWorker) -> None:
    start_worker(slots=2, HEAVYLIFT_QUEUES="sample,sample_b")

    def asked() -> dict[str, int]:
        """Return how often Redis was asked what, without this test's own question."""
        stats = own_jobs.redis.info("commandstats")
        return {
            name: stat["calls"]
            for name, stat in stats.items()
            if name not in {"cmdstat_info", "cmdstat_config|resetstat"}
        }

    wait_until(lambda: asked().get("cmdstat_publish"), what="its hello, which follows its job types")
    own_jobs.run("add", a=1)
    for looks in (1, 3):  # the job's end is over after the first
        own_jobs.redis.config_resetstat()
        began = time.monotonic()
        wait_until(lambda enough=looks: asked().get("cmdstat_blpop", 0) >= enough, 20, what="its looks")
    seconds = time.monotonic() - began

    assert sum(asked().values()) <= seconds, (asked(), seconds)


def test_an_idle_worker_starts_a_job_at_once(jobs: Jobs) -> None:
    waits = []
    for _ in range(30):
        job = jobs.run("add", a=1)
        waits.append((job.attempts[0].started_at - job.created_at).total_seconds())
    assert sorted(waits)[15] < promised(0.02)


def _command(*arguments: str, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "heavylift_worker", *arguments],
        capture_output=True,
        text=True,
        timeout=20,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "TMPDIR": str(folder), **env},
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "env", "words"),
    [
        (["--jobs", "no.such.module"], {}, "(--jobs) no.such.module: No module named 'no'. Modules are"),
        (["--jobs", "broken_jobs"], {}, "(--jobs) broken_jobs: NameError: name 'undefined' is not defined"),
        (
            ["--jobs", SAMPLE_JOBS, "--queues", "sample,nowhere"],
            {},
            "HEAVYLIFT_QUEUES (--queues) nowhere: no loaded job type uses it; those of HEAVYLIFT_JOBS (--jobs) use ",
        ),
        (["--concurrency", "many"], {}, "HEAVYLIFT_CONCURRENCY: Input should be a valid integer"),
        ([], {"HEAVYLIFT_GRACE": "soon"}, "HEAVYLIFT_GRACE: "),
        (["--jobs", SAMPLE_JOBS], {"HEAVYLIFT_REDIS_URL": "nonsense"}, "HEAVYLIFT_REDIS_URL"),
        (["--jobs", SAMPLE_JOBS], {"HEAVYLIFT_ARTIFACTS_URL": "ftp://x"}, "HEAVYLIFT_ARTIFACTS_URL"),
        (["--jobs", SAMPLE_JOBS], {"HEAVYLIFT_REDIS_PASSWORD_FILE": "/none"}, "HEAVYLIFT_REDIS_PASSWORD_FILE"),
    ],
)
def test_a_mistake_is_answered_with_one_sentence(
    worker_redis: RedisServer, tmp_path: Path, arguments: list[str], env: dict[str, str], words: str
) -> None:
    (tmp_path / "broken_jobs.py").write_text("undefined\n")
    done = _command(*arguments, folder=tmp_path, **{"HEAVYLIFT_REDIS_URL": worker_redis.url, **env})

    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert done.stderr.startswith("heavylift-worker: ")
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.glob("heavylift-*")), "a folder was left behind"


def test_help_is_quick(tmp_path: Path) -> None:
    began = time.monotonic()
    done = _command("--help", folder=tmp_path)

    assert done.returncode == 0
    assert "--concurrency" in done.stdout
    assert time.monotonic() - began < promised(1.5)
