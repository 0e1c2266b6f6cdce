"""Batches, replays, queues and schedules."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import BaseModel

from heavylift.client import ApiUnavailable, ApiUnreachable, Conflict, NewJob, NotFound, Refused
from heavylift.model import JobStatus, Priority
from tests.scripted_api import Answer, ScriptedApi, answer, drop, job, problem
from tests.unit.client.conftest import Call

ID = str(job()["id"])
SCHEDULE = {
    "name": "nightly",
    "type": "t",
    "queue": "q",
    "cron": "0 3 * * *",
    "time_zone": "UTC",
    "input": {},
    "priority": "normal",
    "start_within_seconds": None,
    "next_run_at": "2026-01-02T03:00:00Z",
}
QUEUE = {"queue": "q", "waiting": 1, "running": 2, "scheduled": 3, "dead": 4, "oldest_age_seconds": 5.5, "bound": 6}


class Size(BaseModel):
    width: int


def batch(*outcomes: str) -> Answer:
    counts = {outcome: outcomes.count(outcome) for outcome in set(outcomes)}
    results = [{"outcome": outcome, "id": ID, "status": "queued"} for outcome in outcomes]
    return answer({"counts": counts, "results": results}, 202)


def test_a_batch_sends_its_jobs_in_one_request(api: ScriptedApi, call: Call) -> None:
    api.script(batch("accepted", "accepted", "refused"))
    jobs = [
        NewJob("t", Size(width=3), priority=Priority.LOW, delay=timedelta(seconds=2)),
        NewJob("t"),
        {"type": "t", "input": 7},
    ]
    found = call(lambda c: c.submit_batch(jobs))
    assert json.loads(api.requests[0].body) == {
        "items": [
            {"type": "t", "input": {"width": 3}, "priority": "low", "delay_seconds": 2.0},
            {"type": "t", "input": {}},
            {"type": "t", "input": 7},
        ]
    }
    assert [result.accepted for result in found.results] == [True, True, False]
    assert found.refused == [found.results[2]]
    assert found.results[0].status is JobStatus.QUEUED


def test_jobs_in_doubt_are_sent_again_under_the_same_key(api: ScriptedApi, call: Call) -> None:
    api.script(drop(), batch("accepted", "unconfirmed"), batch("repeated", "accepted"))
    assert call(lambda c: c.submit_batch([NewJob("t"), NewJob("t")])).refused == []
    assert len({request.headers["Idempotency-Key"] for request in api.requests}) == 1
    assert len(api.requests) == 3


def test_what_is_known_of_a_batch_is_returned_when_the_api_goes_away(api: ScriptedApi, call: Call) -> None:
    api.script(batch("accepted", "unconfirmed"), *[problem(502, "away")] * 4)
    found = call(lambda c: c.submit_batch([NewJob("t"), NewJob("t")]))
    assert [result.outcome for result in found.results] == ["accepted", "unconfirmed"]


def test_a_batch_that_is_refused_whole_is_an_error(api: ScriptedApi, call: Call) -> None:
    api.script(problem(422, "no job is right"), problem(503, "full", **{"Retry-After": "3600"}))
    with pytest.raises(Refused, match="no job is right"):
        call(lambda c: c.submit_batch([NewJob("t")]))
    with pytest.raises(ApiUnavailable, match="full"):
        call(lambda c: c.submit_batch([NewJob("t")]))


def test_a_replay_whose_answer_was_lost_is_not_sent_again(api: ScriptedApi, call: Call) -> None:
    api.script(drop(), answer(job(), 202), problem(409, "has not failed"))
    with pytest.raises(ApiUnreachable):
        call(lambda c: c.replay(ID))
    assert call(lambda c: c.replay(ID)).id == ID
    with pytest.raises(Conflict):
        call(lambda c: c.replay(ID))
    assert api.paths == [f"POST /v1/jobs/{ID}:replay"] * 3


def test_a_replay_by_filter_sends_what_was_given(api: ScriptedApi, call: Call) -> None:
    api.script(answer({"replayed": 3, "next_cursor": "c"}, 202))
    after = datetime(2026, 1, 2, tzinfo=UTC)
    found = call(lambda c: c.replay_jobs(job_type="t", error="lost", failed_after=after, limit=3))
    assert (found.replayed, found.next_cursor) == (3, "c")
    sent = json.loads(api.requests[0].body)
    assert sent == {"type": "t", "error": "lost", "failed_after": "2026-01-02T00:00:00+00:00", "limit": 3}


def test_all_failed_jobs_are_replayed_only_on_purpose(api: ScriptedApi, call: Call) -> None:
    api.script(answer({"replayed": 3, "next_cursor": None}, 202))
    assert call(lambda c: c.replay_jobs(all_failed=True)).replayed == 3
    assert json.loads(api.requests[0].body) == {"all": True, "limit": 1000}


def test_queues_are_read(api: ScriptedApi, call: Call) -> None:
    api.script(answer({"items": [QUEUE]}))
    [queue] = call(lambda c: c.queues())
    assert queue.model_dump() == QUEUE


def test_a_schedule_is_set_read_and_removed(api: ScriptedApi, call: Call) -> None:
    detail = {**SCHEDULE, "next_runs": ["2026-01-02T03:00:00Z"]}
    api.script(answer(detail, 201), answer(detail), answer({"items": [SCHEDULE]}), Answer(204), problem(404, "none"))
    made = call(lambda c: c.schedule("nightly", "t", {"a": 1}, cron="0 3 * * *", start_within=timedelta(minutes=1)))
    assert made.next_runs == [datetime(2026, 1, 2, 3, tzinfo=UTC)]
    assert call(lambda c: c.get_schedule("nightly")) == made
    assert [each.name for each in call(lambda c: c.schedules())] == ["nightly"]
    assert call(lambda c: c.unschedule("nightly")) is None
    with pytest.raises(NotFound):
        call(lambda c: c.unschedule("a/b"))
    assert json.loads(api.requests[0].body) == {
        "type": "t",
        "input": {"a": 1},
        "cron": "0 3 * * *",
        "time_zone": "UTC",
        "start_within_seconds": 60.0,
    }
    assert api.paths[0] == "PUT /v1/schedules/nightly"
    assert api.paths[-1] == "DELETE /v1/schedules/a%2Fb"
