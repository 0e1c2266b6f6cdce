"""The example of docs/images.md, built and run as its reader would."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.commands import run
from tests.e2e.images.conftest import StartContainer
from tests.e2e.images.probes import client_of, ready
from tests.unit.docs.pages import ROOT, blocks

PAGE = ROOT / "docs/images.md"
IMAGE = "heavylift-tests/tickets"


@pytest.fixture(scope="module")
def team_image(tagged: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("team")
    (jobs,), (dockerfile,), (console,) = (list(blocks(PAGE, name)) for name in ("python", "dockerfile", "console"))
    (folder / "ticket_jobs.py").write_text(jobs.code)
    (folder / "Dockerfile").write_text(dockerfile.code)
    (folder / "requirements.lock").write_text(console.code.partition("cat requirements.lock\n")[2])
    assert tagged["worker"] in dockerfile.code
    run("docker", "build", "--quiet", "--tag", IMAGE, str(folder), timeout=300)
    yield IMAGE
    run("docker", "image", "rm", IMAGE)


def test_a_team_builds_a_worker_of_its_own(team_image: str, start: StartContainer, tmp_path: Path):
    api, worker = ready(start("api"), "api"), ready(start(team_image), "worker")

    with client_of(api) as client:
        job = client.wait(client.submit("ticket.print", {"text": "Row 7, seat 4"}).id, timeout=30)
        ticket = client.download(job.id, "ticket.svg", tmp_path / "ticket.svg")

    assert job.status == "succeeded", worker.log
    assert ticket.read_text().startswith("<?xml")


def test_what_the_base_has_is_named_for_the_teams_lock(tagged: dict[str, str]):
    inside = "/opt/heavylift/requirements.lock"
    lock = run("docker", "run", "--rm", "--entrypoint", "cat", tagged["worker"], inside)

    assert lock == (ROOT / "services/worker/requirements-base.lock").read_text()
