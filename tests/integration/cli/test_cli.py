"""The command line and the client against the whole platform."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from heavylift.cli.exits import ExitCode
from heavylift.client import AsyncClient, Client, Conflict, NotFound, Refused
from heavylift.model import JobStatus
from tests.dev_stack import RunningStack

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with RunningStack(tmp_path_factory.mktemp("cli") / "data", "--jobs=tests.job_types") as stack:
        yield stack


@pytest.fixture
def client(stack: RunningStack) -> Iterator[Client]:
    with Client(stack.url) as client:
        yield client


def test_a_file_goes_in_and_an_artifact_comes_out(stack: RunningStack, client: Client, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("banana")
    words = str(tmp_path / "words.txt")
    ended = stack.cli("submit", "test.count", words, "--with", '{"letter": "n"}', "--wait", "--json")
    job = json.loads(ended.stdout)
    assert (ended.returncode, job["output"]) == (ExitCode.OK, {"value": 2})
    assert client.download(job["id"], "upper.txt", tmp_path).read_text() == "BANANA"


def test_a_failed_job_is_told_with_its_reason(stack: RunningStack) -> None:
    ended = stack.cli("submit", "test.refuse", '{"value": 7}', "--wait")
    assert ended.returncode == ExitCode.JOB_FAILED
    assert "7 is not a number I like." in ended.stdout


def test_what_the_api_refuses_is_told_field_by_field(stack: RunningStack) -> None:
    ended = stack.cli("submit", "test.double", '{"value": "many"}')
    assert ended.returncode == ExitCode.REFUSED
    assert "/input/value: " in ended.stderr


def test_an_unknown_job_is_not_found(stack: RunningStack) -> None:
    ended = stack.cli("job", "test-0190f3a0-7b1e-7c33-8a55-2f1c9d0e4b6a")
    assert ended.returncode == ExitCode.NOT_FOUND


def test_a_running_job_is_cancelled_and_watched_to_its_end(stack: RunningStack, client: Client) -> None:
    job = client.submit("test.stay", {})
    next(event for event in client.events(job.id) if event.event == "progress")
    assert stack.cli("cancel", job.id).returncode == ExitCode.OK
    ended = stack.cli("job", job.id, "--watch", "--json")
    assert (ended.returncode, json.loads(ended.stdout)["status"]) == (ExitCode.JOB_FAILED, "cancelled")


def test_a_job_that_has_ended_is_not_cancelled(client: Client) -> None:
    job = client.wait(client.submit("test.double", {"value": 1}).id, timeout=20)
    with pytest.raises(Conflict):
        client.cancel(job.id)


def test_jobs_shows_what_was_submitted(stack: RunningStack, client: Client) -> None:
    job = client.submit("test.double", {"value": 1}, delay=timedelta(hours=1))
    assert job.id in stack.cli("jobs", "--status", "scheduled").stdout
    assert client.cancel(job.id).status is JobStatus.CANCELLED
    assert job.id in stack.cli("jobs", "--type", "test.double", "--status", "cancelled").stdout


def test_an_idempotency_key_makes_one_job(stack: RunningStack, client: Client, tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("guava")
    first = client.submit("test.double", {"value": 1}, idempotency_key="number")
    assert client.submit("test.double", {"value": 1}, idempotency_key="number").id == first.id
    second = client.upload(words, "test.count", idempotency_key="file")
    assert stack.cli("submit", "test.count", str(words), "--idempotency-key", "file").stdout == f"{second.id}\n"


def test_many_jobs_go_in_and_the_failed_ones_again(stack: RunningStack, client: Client, tmp_path: Path) -> None:
    (tmp_path / "inputs").write_text('{"value": 7}\n{"value": "x"}\n')
    ended = stack.cli("submit-batch", str(tmp_path / "inputs"), "--type", "test.refuse")
    [job_id] = ended.stdout.split()
    assert ended.returncode == ExitCode.REFUSED
    assert "/items/1/input/value" in ended.stderr
    assert client.wait(job_id, timeout=20).status is JobStatus.FAILED
    assert stack.cli("replay", "--type", "test.refuse", "--error", "failed").stdout.strip() != "0 jobs queued again."
    assert client.wait(job_id, timeout=20).status is JobStatus.FAILED
    assert [attempt.number for attempt in client.get(job_id).attempts] == [1, 1]
    assert stack.cli("replay", job_id).returncode == ExitCode.OK


def test_a_schedule_is_set_shown_and_removed(stack: RunningStack, client: Client) -> None:
    ended = stack.cli("schedule", "nightly", "test.double", '{"value": 1}', "--cron", "0 3 * * *")
    assert (ended.returncode, ended.stdout.count(" 03:00 UTC")) == (ExitCode.OK, 5)
    assert [each.name for each in client.schedules()] == ["nightly"]
    assert "nightly" in stack.cli("schedules").stdout
    assert client.get_schedule("nightly").queue in stack.cli("queues").stdout
    assert stack.cli("unschedule", "nightly").returncode == ExitCode.OK
    bad = stack.cli("schedule", "nightly", "test.double", '{"value": 1}', "--cron", "daily")
    assert (bad.returncode, "/cron: " in bad.stderr) == (ExitCode.REFUSED, True)


async def test_the_awaiting_client_does_the_same(stack: RunningStack, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("papaya")
    async with AsyncClient(stack.url) as client:
        job = await client.upload(tmp_path / "words.txt", "test.count")
        events = [event.event async for event in client.events(job.id)]
        assert (await client.get(job.id)).output == {"value": 3}
        assert (await client.download(job.id, "upper.txt", tmp_path)).read_text() == "PAPAYA"
        with pytest.raises(NotFound):
            await client.get("test-0190f3a0-7b1e-7c33-8a55-2f1c9d0e4b6a")
        with pytest.raises(Refused):
            await client.submit("test.unheard", {})
    assert [event for event in events if event != "progress"] == ["queued", "running", "succeeded"]
