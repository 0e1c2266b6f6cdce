"""Each image as a pod runs it: nobody's user, nothing to write but /tmp, no capabilities."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from heavylift_worker.jobs.video.sample import make_sample
from tests.e2e.images.conftest import StartContainer
from tests.e2e.images.containers import Container
from tests.e2e.images.probes import client_of, ready
from tests.waiting import wait_until

BUILT_IN = {"HEAVYLIFT_JOBS": "heavylift_worker.jobs"}


@pytest.fixture
def running(name: str, start: StartContainer) -> Container:
    return ready(start(name), name)


def test_it_starts_confined_and_ends_well_when_it_is_told_to(running: Container):
    began = time.monotonic()
    code = running.stop()

    assert code == 0, running.log
    assert time.monotonic() - began < 10


def test_a_signal_is_heard_before_python_hears_it(name: str, start: StartContainer):
    began = time.monotonic()
    code = start(name).stop()

    assert code == 0
    assert time.monotonic() - began < 10


def test_what_is_missing_ends_it_with_a_sentence(name: str, start: StartContainer):
    container = start(name, env={"HEAVYLIFT_REDIS_URL": "http://not-redis"})
    wait_until(lambda: not container.running, 20, what="the end")

    assert container.exit_code == 2
    assert "HEAVYLIFT_REDIS_URL" in container.log
    assert "Traceback" not in container.log


def test_a_worker_without_ffmpeg_refuses_films_at_its_start(start: StartContainer):
    container = start("worker", env=BUILT_IN)
    wait_until(lambda: not container.running, 20, what="the end")

    assert container.exit_code == 2
    assert "video.transcode needs av, which is not installed here" in container.log


def test_a_worker_without_a_folder_to_work_in_says_so(start: StartContainer):
    container = start("worker", tmp=False)
    wait_until(lambda: not container.running, 20, what="the end")

    assert container.exit_code == 2
    assert "Mount a writable /tmp, or name another folder with TMPDIR" in container.log
    assert "Traceback" not in container.log


def test_a_film_is_transcoded(start: StartContainer, tmp_path: Path):
    film = tmp_path / "film.mp4"
    make_sample(film, seconds=1)
    api, _worker = ready(start("api"), "api"), ready(start("worker-video", env=BUILT_IN), "worker-video")

    with client_of(api) as client:
        job = client.wait(client.upload(film).id, timeout=60)

    assert job.status == "succeeded"
