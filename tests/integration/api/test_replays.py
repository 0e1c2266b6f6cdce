"""Failed jobs, queued again."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime

import httpx
import pytest

from heavylift import operations as ops
from heavylift.ids import parse_job_id
from heavylift.model import JobError
from tests.integration.api.conftest import FILM, Worker

pytestmark = pytest.mark.integration

ECHO = {"type": "echo", "input": {"n": 1}}
MOVIE = {"type": "video.transcode", "input": {"source": "x"}}


def fail(worker: Worker, queue: str = "default", error: str = "exception") -> str:
    claim = worker.claim(queue)
    ending = ops.Ending(ops.Outcome.FAILED, error=JobError(type=error, message="no"))
    call = ops.finish(worker.keys, claim.id, claim.token, ending, attempt=claim.attempt, worker="worker-1")
    assert worker.store.run(call).status == "failed"
    return str(claim.id)


def failed(api: httpx.Client, worker: Worker, body: Mapping[str, object] = ECHO, error: str = "exception") -> str:
    queue = api.post("/v1/jobs", json=body).json()["queue"]
    return fail(worker, queue, error)


def replay(api: httpx.Client, **wanted: object) -> dict[str, object]:
    response = api.post("/v1/jobs:replay", json=wanted)
    assert response.status_code == 202, response.text
    return response.json()


def status(api: httpx.Client, job_id: str) -> str:
    return api.get(f"/v1/jobs/{job_id}").json()["status"]


def test_a_failed_job_runs_again(api: httpx.Client, worker: Worker) -> None:
    job_id = failed(api, worker)
    response = api.post(f"/v1/jobs/{job_id}:replay")
    assert (response.status_code, response.json()["status"]) == (202, "queued")
    assert worker.claim().attempt == 1
    page = worker.store.run(ops.read_events(worker.keys, parse_job_id(job_id), after=3))
    assert page is not None
    assert (page.events[0].event, page.events[0].reason) == ("queued", "replayed by local")


@pytest.mark.parametrize("state", ["queued", "running", "succeeded", "cancelled"])
def test_a_job_that_has_not_failed_is_a_conflict(api: httpx.Client, worker: Worker, state: str) -> None:
    location = api.post("/v1/jobs", json=ECHO).headers["location"]
    if state in {"running", "succeeded"}:
        claim = worker.claim()
        if state == "succeeded":
            worker.finish(claim)
    elif state == "cancelled":
        api.post(f"{location}:cancel")
    response = api.post(f"{location}:replay")
    assert (response.status_code, response.json()["type"]) == (409, "urn:heavylift:problem:not-failed")
    assert state in response.json()["detail"]
    assert api.get(location).json()["status"] == state


def test_a_job_past_its_retention_is_a_conflict(api: httpx.Client, worker: Worker) -> None:
    job_id = failed(api, worker)
    worker.store.redis.zadd(f"{worker.keys.base('default')}kept", {job_id.partition("-")[2]: 1})
    response = api.post(f"/v1/jobs/{job_id}:replay")
    assert (response.status_code, "retention" in response.json()["detail"]) == (409, True)
    assert replay(api, all=True) == {"replayed": 0, "next_cursor": None}


def test_an_unknown_job_is_not_found(api: httpx.Client) -> None:
    assert api.post("/v1/jobs/default-01a20598-9458-737a-a1ec-8172c2e7e9ce:replay").status_code == 404


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"all": True}, {"echo", "movie", "killed"}),
        ({"type": "echo"}, {"echo", "killed"}),
        ({"queue": "video"}, {"movie"}),
        ({"error": "killed"}, {"killed"}),
        ({"type": "echo", "error": "exception"}, {"echo"}),
        ({"error": "unheard"}, set()),
        ({"failed_before": "2001-01-01T00:00:00Z"}, set()),
        ({"failed_after": "2001-01-01T00:00:00Z"}, {"echo", "movie", "killed"}),
        ({"failed_after": "2199-01-01T00:00:00Z"}, set()),
    ],
)
def test_a_filter_chooses(api: httpx.Client, worker: Worker, wanted: dict[str, object], expected: set[str]) -> None:
    jobs = {
        "echo": failed(api, worker),
        "movie": failed(api, worker, MOVIE),
        "killed": failed(api, worker, error="killed"),
    }
    assert replay(api, **wanted) == {"replayed": len(expected), "next_cursor": None}
    assert {name for name, job_id in jobs.items() if status(api, job_id) == "queued"} == expected


def test_the_time_of_failure_divides(api: httpx.Client, worker: Worker) -> None:
    early = failed(api, worker)
    time.sleep(0.01)
    between = datetime.now(UTC).isoformat()
    time.sleep(0.01)
    late = failed(api, worker)
    assert replay(api, failed_after=between)["replayed"] == 1
    assert (status(api, early), status(api, late)) == ("failed", "queued")
    assert replay(api, failed_before=between)["replayed"] == 1


def test_a_cursor_goes_on_through_all_queues_until_none_is_left(api: httpx.Client, worker: Worker) -> None:
    worker.publish(FILM.model_copy(update={"type": "x", "queue": "empty"}))
    for n in range(7):
        failed(api, worker, MOVIE if n % 2 else ECHO)
    counts, cursor = [], None
    while not counts or cursor is not None:
        answer = replay(api, all=True, limit=2, **({"cursor": cursor} if cursor else {}))
        counts.append(answer["replayed"])
        cursor = answer["next_cursor"]
    assert sum(counts) == 7
    assert max(counts) == 2
    assert replay(api, all=True) == {"replayed": 0, "next_cursor": None}


def test_thousands_are_replayed_in_one_request(api: httpx.Client, worker: Worker) -> None:
    items = [ECHO] * 1200
    assert api.post("/v1/jobs:batch", json={"items": items}).status_code == 202
    claimant = ops.Claimant("worker-1", "boot-1")
    claims = worker.store.run(ops.claim(worker.keys, "default", claimant, number=1, slots=1200, busy=0))
    for claim in claims:
        ending = ops.Ending(ops.Outcome.FAILED)
        worker.store.run(ops.finish(worker.keys, claim.id, claim.token, ending, attempt=1, worker="worker-1"))
    assert replay(api, all=True, limit=1100)["replayed"] == 1100
    assert replay(api, all=True, limit=1100) == {"replayed": 100, "next_cursor": None}
    first = min(str(claim.id) for claim in claims)
    again = [str(worker.claim().id) for _ in range(1200)]
    assert again[0] == first
    assert set(again) == {str(claim.id) for claim in claims}


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"limit": 0}, "/limit"),
        ({"limit": 10_001}, "/limit"),
        ({"queue": "A"}, "/queue"),
        ({"failed_after": "yesterday"}, "/failed_after"),
        ({"failed_after": "2001-01-01T00:00:00"}, "/failed_after"),
        ({"all": True, "cursor": "abc"}, "/cursor"),
        ({"state": "failed"}, "/state"),
        ({}, ""),
        ({"limit": 5}, ""),
        ([], ""),
    ],
)
def test_a_bad_filter_is_refused(api: httpx.Client, body: object, place: str) -> None:
    response = api.post("/v1/jobs:replay", json=body)
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, place)


def test_queues_show_what_they_hold(api: httpx.Client, worker: Worker) -> None:
    failed(api, worker)
    for body in (ECHO, ECHO, {**ECHO, "delay_seconds": 60}, MOVIE):
        api.post("/v1/jobs", json=body)
    worker.claim()
    default, video = api.get("/v1/queues").json()["items"]
    assert default.pop("oldest_age_seconds") >= 0
    assert default == {
        "queue": "default",
        "waiting": 1,
        "running": 1,
        "scheduled": 1,
        "dead": 1,
        "bound": 100_000,
    }
    assert (video["queue"], video["waiting"]) == ("video", 1)
