"""Requests and their repetition."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from heavylift.client import ApiUnavailable, ApiUnreachable, Client, Conflict, NotFound, Refused, Unauthorized
from heavylift.model import JobStatus, Priority
from tests.scripted_api import Answer, ScriptedApi, answer, drop, job, problem
from tests.unit.client.conftest import Call

ID = str(job()["id"])


def test_a_submit_sends_what_was_given_and_nothing_else(api: ScriptedApi, call: Call) -> None:
    api.script(answer(job(), 202))
    accepted = call(lambda c: c.submit("t", {"a": 1}, priority=Priority.BULK, delay=timedelta(seconds=5)))
    assert accepted.id == ID
    sent = api.requests[0]
    assert json.loads(sent.body) == {"type": "t", "input": {"a": 1}, "priority": "bulk", "delay_seconds": 5.0}
    assert sent.headers["Authorization"] == "Bearer secret"


def test_a_submit_whose_answer_was_lost_is_repeated_under_the_same_key(api: ScriptedApi, call: Call) -> None:
    api.script(drop(), drop(), answer(job(), 202))
    call(lambda c: c.submit("t", {}))
    keys = {request.headers["Idempotency-Key"] for request in api.requests}
    assert len(api.requests) == 3
    assert len(keys) == 1


def test_two_submits_have_two_keys(api: ScriptedApi, call: Call) -> None:
    api.script(answer(job(), 202), answer(job(), 202))
    call(lambda c: c.submit("t", {}))
    call(lambda c: c.submit("t", {}))
    assert len({request.headers["Idempotency-Key"] for request in api.requests}) == 2


def test_a_busy_api_is_given_the_time_it_asks_for(api: ScriptedApi, call: Call) -> None:
    api.script(problem(503, "full", **{"Retry-After": "1"}), answer(job()))
    began = time.monotonic()
    assert call(lambda c: c.get(ID)).id == ID
    assert 1 <= time.monotonic() - began < 3


def test_an_api_that_asks_for_an_hour_is_not_waited_for(api: ScriptedApi, call: Call) -> None:
    api.script(problem(503, "maintenance", **{"Retry-After": "3600"}))
    with pytest.raises(ApiUnavailable, match="maintenance") as raised:
        call(lambda c: c.get(ID))
    assert raised.value.retry_after == 3600
    assert len(api.requests) == 1


def test_after_the_last_retry_the_problem_is_raised(api: ScriptedApi, call: Call) -> None:
    api.script(*(problem(502, "bad gateway") for _ in range(4)))
    with pytest.raises(ApiUnavailable, match="bad gateway"):
        call(lambda c: c.get(ID))
    assert len(api.requests) == 4


def test_nobody_listening_is_said_in_a_sentence() -> None:
    with ScriptedApi() as api:
        url = api.url
    with Client(url, retries=1) as client, pytest.raises(ApiUnreachable, match="Is the API running there"):
        client.get(ID)


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, Unauthorized), (403, Unauthorized), (404, NotFound), (409, Conflict), (422, Refused), (413, Refused)],
)
def test_a_refusal_is_raised_at_once_as_its_own_type(
    api: ScriptedApi, call: Call, status: int, error: type[Exception]
) -> None:
    api.script(problem(status, "no, because"))
    with pytest.raises(error, match="no, because"):
        call(lambda c: c.cancel(ID))
    assert len(api.requests) == 1


def test_an_answer_that_is_no_problem_document_is_still_told(api: ScriptedApi, call: Call) -> None:
    api.script(Answer(400, b"<h1>proxy says no</h1>"))
    with pytest.raises(Refused, match="proxy says no"):
        call(lambda c: c.get(ID))


def test_an_upload_streams_the_file_and_is_repeated_from_its_beginning(
    api: ScriptedApi, call: Call, tmp_path: Path
) -> None:
    film = tmp_path / "a film.mov"
    film.write_bytes(bytes(range(256)) * 2000)
    sent: list[int] = []
    api.script(problem(503, "busy"), answer(job(), 202))
    call(lambda c: c.upload(film, "video.transcode", job_input={"renditions": [240]}, on_sent=sent.append))
    assert [request.body for request in api.requests] == [film.read_bytes()] * 2
    query = parse_qs(urlsplit(api.requests[1].path).query)
    assert query == {"type": ["video.transcode"], "filename": ["a film.mov"], "input": ['{"renditions":[240]}']}
    assert sent[-1] == film.stat().st_size


def test_an_upload_waits_for_its_own_first_try_to_be_given_up(api: ScriptedApi, call: Call, tmp_path: Path) -> None:
    (tmp_path / "film").write_bytes(b"film")
    api.script(drop(), problem(409, "under way", **{"Retry-After": "1"}), answer(job(), 202))
    assert call(lambda c: c.upload(tmp_path / "film")).id == ID


def test_an_empty_file_is_sent_as_one(api: ScriptedApi, call: Call, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    api.script(answer(job(), 202))
    call(lambda c: c.upload(tmp_path / "empty"))
    assert api.requests[0].headers["Content-Length"] == "0"


def test_a_list_passes_its_filters_on(api: ScriptedApi, call: Call) -> None:
    api.script(answer({"items": [job(status="failed")], "next_cursor": "abc"}))
    page = call(lambda c: c.list(status=JobStatus.FAILED, job_type="t", limit=3, cursor="xyz"))
    assert api.paths == ["GET /v1/jobs?status=failed&type=t&cursor=xyz&limit=3"]
    assert page.next_cursor == "abc"
    assert page.items[0].status is JobStatus.FAILED


def test_fields_of_a_newer_api_are_ignored(api: ScriptedApi, call: Call) -> None:
    api.script(answer(job(colour="green")))
    assert call(lambda c: c.get(ID)).id == ID


def test_a_refusal_says_which_fields_are_wrong(api: ScriptedApi, call: Call) -> None:
    body = {"detail": "It does not fit.", "errors": [{"pointer": "/input/below", "detail": "1 is less than 2."}]}
    api.script(Answer(422, json.dumps(body).encode()))
    with pytest.raises(Refused, match=r"It does not fit\. /input/below: 1 is less than 2\."):
        call(lambda c: c.submit("primes.count", {"below": 1}))


def test_the_key_of_the_environment_is_sent(api: ScriptedApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEAVYLIFT_API_KEY", "hl_secret")
    api.script(answer(job()))
    with Client(api.url) as client:
        client.get(ID)
    assert api.requests[0].headers["Authorization"] == "Bearer hl_secret"
