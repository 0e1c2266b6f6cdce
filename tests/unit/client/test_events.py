"""Following a job over streams that break."""

from __future__ import annotations

from dataclasses import replace

import pytest

from heavylift.client import Client, NotFound, WaitTimeout
from heavylift.model import JobStatus
from tests.scripted_api import ScriptedApi, answer, drop, events, job, problem
from tests.unit.client.conftest import Call, names

ID = str(job()["id"])
QUEUED = {"id": 1, "event": "queued"}
RUNNING = {"id": 2, "event": "running", "attempt": 1, "worker": "w"}
DONE = {"id": 3, "event": "succeeded", "attempt": 1}
PROGRESS = {"event": "progress", "done": 1, "total": 2, "fraction": 0.5, "at": "2026-01-02T03:04:05Z"}


def test_events_end_with_the_job(api: ScriptedApi, call: Call) -> None:
    api.script(events(QUEUED, RUNNING, PROGRESS, DONE))
    found = call(lambda c: c.events(ID))
    assert names(found) == ["queued", "running", "progress", "succeeded"]
    assert found[2].progress.fraction == 0.5


def test_a_broken_stream_is_resumed_without_gap_or_repetition(api: ScriptedApi, call: Call) -> None:
    api.script(events(QUEUED, RUNNING, DONE, drop_after=110), drop(), events(QUEUED, RUNNING, DONE))
    assert names(call(lambda c: c.events(ID))) == ["queued", "running", "succeeded"]
    assert api.requests[-1].headers["Last-Event-ID"] == "1"


def test_a_sign_of_life_is_no_event(api: ScriptedApi, call: Call) -> None:
    begin, end = events(QUEUED), events(DONE)
    api.script(replace(begin, body=begin.body + b": still here\n\n" * 2 + end.body))
    assert names(call(lambda c: c.events(ID))) == ["queued", "succeeded"]


def test_a_stream_that_closes_in_good_order_is_reopened(api: ScriptedApi, call: Call) -> None:
    api.script(events(QUEUED), events(RUNNING), events(DONE))
    assert names(call(lambda c: c.events(ID))) == ["queued", "running", "succeeded"]
    assert [request.headers.get("Last-Event-ID") for request in api.requests] == [None, "1", "2"]


def test_events_can_begin_after_a_known_one(api: ScriptedApi, call: Call) -> None:
    api.script(events(DONE))
    call(lambda c: c.events(ID, after=2))
    assert api.requests[0].headers["Last-Event-ID"] == "2"


def test_a_job_that_ended_before_the_cursor_is_not_waited_for(api: ScriptedApi, call: Call) -> None:
    ended = answer(job(status="succeeded"))
    api.script(events(), ended, events(), ended)
    assert call(lambda c: c.events(ID, after=3)) == []


def test_an_unavailable_api_is_tried_again(api: ScriptedApi, call: Call) -> None:
    api.script(problem(503, "starting"), events(QUEUED, RUNNING, DONE))
    assert names(call(lambda c: c.events(ID))) == ["queued", "running", "succeeded"]


def test_an_unknown_job_is_not_followed(api: ScriptedApi, call: Call) -> None:
    api.script(problem(404, "There is no such job"))
    with pytest.raises(NotFound):
        call(lambda c: c.events(ID))


def test_wait_returns_the_job_as_it_ended(api: ScriptedApi, call: Call) -> None:
    failed = {"id": 3, "event": "failed", "message": "no picture"}
    api.script(events(QUEUED, RUNNING, failed), answer(job(status="failed")))
    assert call(lambda c: c.wait(ID)).status is JobStatus.FAILED


def test_wait_gives_up_after_its_timeout(api: ScriptedApi) -> None:
    api.script(events(QUEUED), *[events(), answer(job(status="running"))] * 20)
    with Client(api.url) as client, pytest.raises(WaitTimeout, match="It goes on"):
        client.wait(ID, timeout=0.7)
