"""Recurring jobs over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

import httpx
import pytest

from heavylift import operations as ops
from heavylift.model import Schedule
from heavylift_controller.queues import Queues
from heavylift_controller.recurring import Recurring
from tests.integration.api.conftest import ECHO, Api, Worker

pytestmark = pytest.mark.integration

DAILY = {"type": "echo", "input": {"n": 1}, "cron": "30 2 * * *", "time_zone": "Europe/Berlin"}
PATH = "/v1/schedules/nightly"


def controller(worker: Worker) -> Recurring:
    """A controller whose every turn is a while after the one before, so that it looks at all queues."""
    return Recurring(worker.store, Queues(worker.store), tick=1, clock=count(0, 100).__next__)


def test_a_schedule_is_set_shown_replaced_and_removed(api: httpx.Client, worker: Worker) -> None:
    created = api.put(PATH, json={**DAILY, "priority": "low", "start_within_seconds": 60})
    assert (created.status_code, created.headers["location"]) == (201, PATH)
    schedule = created.json()
    assert schedule["next_run_at"] == schedule["next_runs"][0]
    assert len(schedule["next_runs"]) == 5
    assert api.get(PATH).json() == schedule
    [listed] = api.get("/v1/schedules").json()["items"]
    assert listed == {name: value for name, value in schedule.items() if name != "next_runs"}
    assert (listed["queue"], listed["priority"], listed["start_within_seconds"]) == ("default", "low", 60)
    replaced = api.put(PATH, json={**DAILY, "cron": "0 * * * *"})
    assert (replaced.status_code, replaced.json()["cron"]) == (200, "0 * * * *")
    assert api.delete(PATH).status_code == 204
    for response in (api.get(PATH), api.delete(PATH)):
        assert (response.status_code, response.json()["type"]) == (404, "urn:heavylift:problem:unknown-schedule")


def test_the_coming_runs_are_those_of_the_time_zone(api: httpx.Client) -> None:
    expected = Schedule(name="x", type="echo", cron="30 2 * * *", time_zone="Europe/Berlin")
    runs = [datetime.fromisoformat(run) for run in api.put(PATH, json=DAILY).json()["next_runs"]]
    assert [expected.next_after(run) for run in runs[:-1]] == runs[1:]
    assert datetime.now(UTC) < runs[0] < datetime.now(UTC) + timedelta(hours=26)


def test_a_schedule_set_as_it_was_keeps_its_overdue_run(api: httpx.Client, worker: Worker) -> None:
    api.put(PATH, json=DAILY)
    overdue = datetime(2026, 1, 1, tzinfo=UTC)
    [planned] = worker.store.run(ops.read_agenda(worker.keys, "default")).planned
    worker.store.run(ops.plan(worker.keys, "default", planned.schedule, overdue))
    assert datetime.fromisoformat(api.put(PATH, json=DAILY).json()["next_run_at"]) == overdue


@pytest.mark.parametrize(
    ("change", "place", "slug"),
    [
        ({"cron": "every day"}, "/cron", "invalid-request"),
        ({"cron": "0 0 30 2 *"}, "/cron", "invalid-request"),
        ({"cron": None}, "/cron", "invalid-request"),
        ({"time_zone": "Mars/Olympus"}, "/time_zone", "invalid-request"),
        ({"time_zone": "Europe"}, "/time_zone", "invalid-request"),
        ({"priority": "high"}, "/priority", "invalid-request"),
        ({"start_within_seconds": 0}, "/start_within_seconds", "invalid-request"),
        ({"run_at": "now"}, "/run_at", "invalid-request"),
        ({"type": "ecco"}, "/type", "unknown-job-type"),
        ({"input": {"n": "x"}}, "/input/n", "invalid-input"),
    ],
)
def test_a_bad_schedule_is_refused(api: httpx.Client, change: dict[str, object], place: str, slug: str) -> None:
    problem = api.put(PATH, json=DAILY | change).json()
    assert (problem["type"], problem["status"]) == (f"urn:heavylift:problem:{slug}", 422)
    assert [error["pointer"] for error in problem["errors"]] == [place]
    assert api.get(PATH).status_code == 404


@pytest.mark.parametrize("name", ["A", "a b", "-a", "a" * 101])
def test_a_bad_name_is_refused(api: httpx.Client, name: str) -> None:
    response = api.put(f"/v1/schedules/{name}", json=DAILY)
    assert (response.status_code, response.json()["errors"][0]["parameter"]) == (422, "name")


def test_a_schedule_that_gets_a_type_of_another_queue_lies_in_one_queue(api: httpx.Client, worker: Worker) -> None:
    api.put(PATH, json=DAILY)
    moved = api.put(PATH, json={**DAILY, "type": "video.transcode", "input": {"source": "x"}})
    assert (moved.status_code, moved.json()["queue"]) == (200, "video")
    assert [item["queue"] for item in api.get("/v1/schedules").json()["items"]] == ["video"]


def test_a_schedule_whose_type_has_moved_runs_once_in_the_new_queue(
    start_api: Callable[..., Api], worker: Worker, redis_url: str
) -> None:
    api = start_api(redis_url).http
    api.put(PATH, json=DAILY)
    [planned] = worker.store.run(ops.read_agenda(worker.keys, "default")).planned
    worker.store.run(ops.plan(worker.keys, "default", planned.schedule, datetime.now(UTC) - timedelta(seconds=1)))
    worker.publish(ECHO.model_copy(update={"queue": "anew"}))
    recurring = controller(worker)
    for _ in range(3):
        recurring.turn()
    assert [job["queue"] for job in api.get("/v1/jobs").json()["items"]] == ["anew"]
    [schedule] = api.get("/v1/schedules").json()["items"]
    assert (schedule["queue"], schedule["name"]) == ("anew", "nightly")
    assert datetime.fromisoformat(schedule["next_run_at"]) > datetime.now(UTC)


def test_a_schedule_left_behind_in_the_old_queue_gives_way_to_the_new_one(worker: Worker) -> None:
    schedule = Schedule(name="nightly", type="echo", cron="0 0 * * *", input={"n": 1})
    due, later = datetime.now(UTC) - timedelta(seconds=1), datetime.now(UTC) + timedelta(hours=1)
    worker.publish(ECHO.model_copy(update={"queue": "anew"}))
    worker.store.run(ops.plan(worker.keys, "default", schedule, due))
    worker.store.run(ops.plan(worker.keys, "anew", schedule, later))
    recurring = controller(worker)
    for _ in range(2):
        recurring.turn()
    assert worker.store.run(ops.read_agenda(worker.keys, "default")).planned == []
    assert worker.store.run(ops.list_jobs(worker.keys, "default")) == []
    assert worker.store.run(ops.list_jobs(worker.keys, "anew")) == []
