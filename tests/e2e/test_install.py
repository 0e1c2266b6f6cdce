"""What a platform engineer sees first: `helm install` with the chart's defaults, in a restricted namespace."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import httpx
import pytest

from heavylift.client import Client, JobView
from heavylift_worker.jobs.video.picture import Size
from heavylift_worker.jobs.video.sample import make_sample
from tests.e2e.commands import run
from tests.e2e.conftest import NamespaceFactory
from tests.e2e.port_forward import PortForward
from tests.e2e.release import Release
from tests.fixtures_redis import free_port

READY_WITHIN = 120
"""Seconds from `helm install` to the last pod's readiness."""

SHELL = """
set -e
trap 'kill $(jobs -p)' EXIT
curl() { command curl --retry 20 --retry-delay 1 --retry-connrefused "$@"; }  # a forwarded port takes a moment
"""
"""What a reader of the notes does without being told."""


@dataclass
class Installed:
    """The release that these tests share."""

    release: Release
    seconds: float
    client: Client


@pytest.fixture(scope="module")
def installed(new_namespace: NamespaceFactory) -> Iterator[Installed]:
    with new_namespace("install") as namespace:
        release = Release(namespace)
        begin = time.monotonic()
        release.install(timeout=READY_WITHIN)
        seconds = time.monotonic() - begin
        with release.client() as client:
            yield Installed(release, seconds, client)


@pytest.fixture(scope="module")
def film(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> JobView:
    """A film that was uploaded through the Service, and its job once that has ended."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    make_sample(path, seconds=2, size=Size(640, 480))
    job = installed.client.upload(path, job_input={"renditions": [240]})
    return installed.client.wait(job.id, timeout=120)


def test_the_defaults_are_ready_within_two_minutes(installed: Installed) -> None:
    pods = installed.release.namespace.pods()
    assert {pod.metadata.labels["app.kubernetes.io/component"] for pod in pods} == {
        *("api", "controller", "flower", "redis", "worker"),
    }
    for pod in pods:
        assert [status.ready for status in pod.status.container_statuses] == [True], pod.metadata.name
        assert [status.restart_count for status in pod.status.container_statuses] == [0], pod.metadata.name
    assert installed.seconds < READY_WITHIN
    print(f"all pods ready after {installed.seconds:.0f} s")


def test_an_uploaded_film_comes_back_transcoded(installed: Installed, film: JobView, tmp_path: Path) -> None:
    assert film.status == "succeeded", film.error
    [attempt] = film.attempts
    assert attempt.worker in {pod.metadata.name for pod in installed.release.pods("worker", "video")}
    with av.open(str(installed.client.download(film.id, "240p.mp4", tmp_path))) as rendition:
        [picture] = rendition.streams.video
        assert (picture.codec_context.name, picture.width, picture.height) == ("h264", 320, 240)
        assert sum(1 for _ in rendition.decode(picture)) == 2 * 25


def test_flower_lists_the_job_for_those_who_have_its_password(installed: Installed, film: JobView) -> None:
    release = installed.release
    user, _, password = release.secret("flower-auth", "auth").partition(":")
    with PortForward(release.namespace, f"{release.fullname}-flower", "http") as forward:
        assert httpx.get(f"{forward.url}/api/tasks").status_code == httpx.codes.UNAUTHORIZED
        tasks = httpx.get(f"{forward.url}/api/tasks", auth=(user, password)).raise_for_status().json()
    [task] = [task for task in tasks.values() if task["uuid"] == film.id]
    assert (task["name"], task["state"]) == ("video.transcode", "SUCCESS")


def test_helm_test_submits_a_film_and_checks_it(installed: Installed) -> None:
    assert "Phase:          Succeeded" in installed.release.run_helm("test", installed.release.name, "--logs")


def test_the_commands_of_the_notes_lead_to_an_answer_of_the_api(installed: Installed) -> None:
    release = installed.release
    notes = release.run_helm("get", "notes", release.name).splitlines()
    commands = [line.strip() for line in notes if line.startswith("    ") and "helm test" not in line]
    [first_request, *_] = [number for number, line in enumerate(commands) if line.startswith("curl ")]
    script = "\n".join([SHELL, *commands[: first_request + 1]])
    port = str(free_port())
    script = script.replace(" 8000:", f" {port}:").replace("127.0.0.1:8000", f"127.0.0.1:{port}")
    answer = run("bash", "-c", script, env=release.namespace.cluster.env)
    assert "video" in {queue["queue"] for queue in json.loads(answer.splitlines()[-1])["items"]}
