"""The first process of a worker's container inherits what killed jobs leave behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from heavylift.client import Client
from tests.e2e.images.conftest import StartContainer
from tests.e2e.images.containers import Container
from tests.e2e.images.probes import client_of, ready
from tests.waiting import wait_until


@pytest.fixture
def worker(start: StartContainer) -> Container:
    return ready(start("worker"), "worker")


@pytest.fixture
def client(start: StartContainer, worker: Container) -> Iterator[Client]:
    ready(start("controller"), "controller")
    with client_of(ready(start("api"), "api")) as client:
        yield client


def test_orphans_of_killed_jobs_are_gone_once_they_have_ended(worker: Container, client: Client):
    before = worker.processes()

    job = client.submit("images.orphans", {"count": 5, "lost_attempts": 2})
    ended = client.wait(job.id, timeout=30)

    assert (ended.status, len(ended.attempts)) == ("succeeded", 3)
    wait_until(lambda: worker.processes() == before, 10, what="the orphans to be gone")


def test_a_job_has_a_home_it_can_write(worker: Container, client: Client):
    job = client.wait(client.submit("images.where", {}).id, timeout=30)

    assert job.output == {"user": 10001, "home": "/tmp"}
