"""Submitting, reading, listing and cancelling jobs over HTTP."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.integration.api.conftest import Worker, id_of

pytestmark = pytest.mark.integration


def submit(api: httpx.Client, **fields: object) -> httpx.Response:
    return api.post("/v1/jobs", json={"type": "echo", "input": {"n": 1}, **fields})


def test_a_submit_is_accepted_with_its_place(api: httpx.Client, worker: Worker) -> None:
    response = submit(api)
    assert response.status_code == 202
    job = response.json()
    assert response.headers["location"] == f"/v1/jobs/{job['id']}"
    assert (job["status"], job["type"], job["priority"], job["input"]) == ("queued", "echo", "normal", {"n": 1})
    assert str(worker.claim().id) == job["id"]


@pytest.mark.parametrize("priority", ["normal", "low", "bulk", "idle"])
def test_a_job_keeps_its_priority(api: httpx.Client, priority: str) -> None:
    assert api.get(submit(api, priority=priority).headers["location"]).json()["priority"] == priority


@pytest.mark.parametrize(
    "when", [{"delay_seconds": 3600}, {"run_at": (datetime.now(UTC) + timedelta(hours=1)).isoformat()}]
)
def test_a_later_job_is_scheduled(api: httpx.Client, when: dict[str, object]) -> None:
    response = submit(api, **when)
    assert response.json()["status"] == "scheduled"
    stored = api.get(response.headers["location"]).json()
    wait = datetime.fromisoformat(stored["run_at"]) - datetime.now(UTC)
    assert stored["status"] == "scheduled"
    assert timedelta(minutes=50) < wait <= timedelta(hours=1)  # the moment is set when tests are collected


def test_a_submit_answers_what_a_get_answers(api: httpx.Client) -> None:
    for when in ({"delay_seconds": 60}, {"run_at": "2198-01-01T02:00:00.123456+02:00"}):
        accepted = submit(api, **when, expires_at="2199-01-01T00:00:00.987654Z").json()
        assert accepted == api.get(accepted["urls"]["self"]).json()


def test_a_running_job_shows_its_progress_and_a_finished_one_its_output(api: httpx.Client, worker: Worker) -> None:
    location = submit(api).headers["location"]
    claim = worker.claim()
    worker.progress(claim, 5, total=20)
    running = api.get(location).json()
    assert (running["status"], running["progress"]["fraction"]) == ("running", 0.25)
    worker.finish(claim, output=b'{"answer":42}')
    ended = api.get(location).json()
    assert (ended["status"], ended["output"]) == ("succeeded", {"answer": 42})
    assert ended["timings"]["ran_seconds"] >= 0
    assert [attempt["outcome"] for attempt in ended["attempts"]] == ["succeeded"]


def test_cancelling_a_waiting_job_ends_it(api: httpx.Client) -> None:
    location = submit(api).headers["location"]
    for _ in range(2):  # a repeated cancel is no error
        response = api.post(f"{location}:cancel")
        assert (response.status_code, response.json()["status"]) == (200, "cancelled")


def test_cancelling_a_running_job_asks_it_to_stop(api: httpx.Client, worker: Worker) -> None:
    location = submit(api).headers["location"]
    worker.claim()
    response = api.post(f"{location}:cancel")
    assert (response.status_code, response.json()["status"]) == (202, "running")
    assert response.json()["cancel_requested"] is True


def test_cancelling_a_finished_job_is_a_conflict(api: httpx.Client, worker: Worker) -> None:
    location = submit(api).headers["location"]
    worker.finish(worker.claim())
    response = api.post(f"{location}:cancel")
    assert response.status_code == 409
    assert response.json()["type"] == "urn:heavylift:problem:already-ended"


def test_pages_go_through_all_queues_newest_first(api: httpx.Client, worker: Worker) -> None:
    ids = [
        api.post("/v1/jobs", json={"type": kind, "input": value}).json()["id"]
        for kind, value in [("echo", {"n": 1}), ("video.transcode", {"source": "x"}), ("echo", {"n": 2})]
    ]
    first = api.get("/v1/jobs", params={"limit": 2})
    page = first.json()
    assert [job["id"] for job in page["items"]] == ids[:0:-1]
    assert f"cursor={page['next_cursor']}" in first.headers["link"]
    last = api.get("/v1/jobs", params={"limit": 2, "cursor": page["next_cursor"]}).json()
    assert ([job["id"] for job in last["items"]], last["next_cursor"]) == (ids[:1], None)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [({"status": "running"}, ["echo"]), ({"type": "video.transcode"}, ["video.transcode"]), ({"queue": "other"}, [])],
)
def test_lists_are_filtered(api: httpx.Client, worker: Worker, wanted: dict[str, str], found: list[str]) -> None:
    submit(api)
    api.post("/v1/jobs", json={"type": "video.transcode", "input": {"source": "x"}})
    worker.claim("default")
    assert [job["type"] for job in api.get("/v1/jobs", params=wanted).json()["items"]] == found


def test_job_types_show_their_schemas(api: httpx.Client) -> None:
    items = api.get("/v1/job-types").json()["items"]
    assert {item["type"]: item["file_field"] for item in items} == {"echo": None, "video.transcode": "source"}
    assert all(item["input_schema"]["type"] == "object" for item in items)


async def test_concurrent_submits_are_all_stored(api: httpx.Client, worker: Worker) -> None:
    async with httpx.AsyncClient(base_url=api.base_url, trust_env=False) as client:
        bodies = [{"type": "echo", "input": {"n": n}} for n in range(60)]
        responses = await asyncio.gather(*(client.post("/v1/jobs", json=body) for body in bodies))
    ids = {str(id_of(response)) for response in responses}
    assert len(ids) == 60
    assert {str(worker.claim().id) for _ in range(60)} == ids
