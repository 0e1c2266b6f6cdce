"""A real film in a real worker: cancelled in the middle, and handed from one worker to another."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import av
import pytest

from heavylift import operations as ops
from heavylift.artifacts import ArtifactStore, job_key
from heavylift.ids import JobId, new_job_id
from heavylift_worker.jobs import transcode
from tests.fixtures_worker import Jobs, StartWorker, WorkerProcess, promised
from tests.waiting import wait_until

pytestmark = pytest.mark.integration

SECONDS = 6


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    command = [sys.executable, "-m", "heavylift_worker.jobs.video.sample", str(path)]
    subprocess.run([*command, "--seconds", str(SECONDS), "--size", "1280x720"], check=True, timeout=50)
    return path


@pytest.fixture
def start_film_worker(start_worker: StartWorker) -> Callable[..., WorkerProcess]:
    def start(**env: str) -> WorkerProcess:
        return start_worker(modules="heavylift_worker.jobs", HEAVYLIFT_QUEUES="video", **env)

    return start


@pytest.fixture
def midway(own_jobs: Jobs, film: Path, tmp_path: Path) -> Callable[[], JobId]:
    """Submit the film, and wait until a worker is in the middle of it."""

    def submit() -> JobId:
        job_id = new_job_id("video")
        key = job_key(str(job_id), "input", "film.mp4")
        ArtifactStore.from_url(f"file://{tmp_path}/artifacts").write_sync(key, film)
        order = f'{{"source":"{key}","preset":"medium"}}'.encode()
        own_jobs.store.run(ops.submit(own_jobs.store.keys, "video", [ops.Submission(job_id, transcode.info(), order)]))

        def in_the_middle() -> bool:
            progress = own_jobs.job(job_id).progress
            return progress is not None and progress.total is not None and 0 < progress.done < progress.total / 2

        wait_until(in_the_middle, 30, what="the first pictures")
        return job_id

    return submit


def test_a_film_is_cancelled_in_the_middle(
    own_jobs: Jobs, start_film_worker: Callable[..., WorkerProcess], midway: Callable[[], JobId]
) -> None:
    start_film_worker()
    job_id = midway()
    asked = time.monotonic()
    own_jobs.cancel(job_id)
    ended = own_jobs.await_status(job_id, "cancelled")

    assert time.monotonic() - asked < promised(2)
    assert [artifact.role for artifact in ended.artifacts] in ([], ["input"])


def test_a_film_whose_worker_is_told_to_end_is_finished_by_another(
    own_jobs: Jobs, start_film_worker: Callable[..., WorkerProcess], midway: Callable[[], JobId], tmp_path: Path
) -> None:
    first = start_film_worker(HEAVYLIFT_GRACE="2s")
    job_id = midway()
    first.terminate()
    assert first.ended() == 0
    assert own_jobs.events(job_id)[-1] == "released"

    second = start_film_worker()
    ended = own_jobs.ended(job_id, timeout=50)

    assert (ended.status, ended.error) == ("succeeded", None)
    assert [(each.number, each.worker) for each in ended.attempts] == [(1, first.name), (1, second.name)]
    made = {each.name: tmp_path / "artifacts" / each.key for each in ended.artifacts if each.role == "output"}
    with av.open(str(made["720p.mp4"])) as container:
        assert container.duration is not None
        assert abs(container.duration / 1e6 - SECONDS) < 0.2
