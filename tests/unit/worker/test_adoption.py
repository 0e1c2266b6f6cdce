"""A stock producer's message made into an input. tests/integration/worker/test_celery_producers.py sends real ones."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from heavylift.operations import Ending, Outcome
from heavylift_worker.adoption import NotAdoptableError, adopted_input


class Film(BaseModel):
    source: str
    width: int = 640


def _message(args: list[Any], kwargs: dict[str, Any] | None = None, **headers: object) -> dict[str, Any]:
    body = json.dumps([args, kwargs or {}, {"callbacks": None}])
    return {
        "headers": {"id": "1", "task": "film", **headers},
        "content-type": "application/json",
        "properties": {"body_encoding": "base64"},
        "body": base64.b64encode(body.encode()).decode(),
    }


@pytest.mark.parametrize(
    ("args", "kwargs", "expected"),
    [
        (["a.mp4"], {}, {"source": "a.mp4"}),
        (["a.mp4", 80], {}, {"source": "a.mp4", "width": 80}),
        (["a.mp4"], {"width": 80}, {"source": "a.mp4", "width": 80}),
        ([{"source": "a.mp4"}], {}, {"source": "a.mp4"}),
        ([], {}, {}),
    ],
)
def test_arguments_become_fields(args: list[Any], kwargs: dict[str, Any], expected: dict[str, Any]) -> None:
    adopted = adopted_input(_message(args, kwargs), Film)
    assert isinstance(adopted, bytes)
    assert json.loads(adopted) == expected


def test_a_body_may_be_plain_text() -> None:
    message = {**_message([]), "body": '[["a.mp4"], {}, {}]', "properties": {}}
    adopted = adopted_input(message, Film)
    assert isinstance(adopted, bytes)
    assert json.loads(adopted) == {"source": "a.mp4"}


def test_an_eta_releases_the_job_until_then() -> None:
    ending = adopted_input(_message([], eta=(datetime.now(UTC) + timedelta(hours=1)).isoformat()), Film)
    assert isinstance(ending, Ending)
    assert ending.outcome is Outcome.RELEASED
    assert timedelta(minutes=59) < ending.delay <= timedelta(hours=1, seconds=1)


def test_an_eta_without_a_zone_is_utc() -> None:
    text = (datetime.now(UTC).replace(tzinfo=None) - timedelta(minutes=1)).isoformat()
    assert isinstance(adopted_input(_message(["a"], eta=text), Film), bytes)


def test_an_expired_message_fails() -> None:
    ending = adopted_input(_message([], expires=(datetime.now(UTC) - timedelta(seconds=1)).isoformat()), Film)
    assert isinstance(ending, Ending)
    assert ending.error
    assert (ending.outcome, ending.error.type) == (Outcome.FAILED, "expired")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"content-type": "application/x-python-serialize"}, "task_serializer='json'"),
        ({"body": "%%%"}, "protocol 2"),
        ({"body": base64.b64encode(b"[").decode()}, "protocol 2"),
        ({"body": base64.b64encode(b"[1, 2]").decode()}, "protocol 2"),
        ({"body": base64.b64encode(b"[]").decode()}, "protocol 2"),
        ({"body": None}, "protocol 2"),
        ({"headers": {"eta": "soon"}}, "ISO 8601: 'soon'"),
        ({"headers": {"eta": 7}}, "ISO 8601: 7"),
    ],
)
def test_what_cannot_be_adopted_says_why(change: dict[str, Any], words: str) -> None:
    with pytest.raises(NotAdoptableError, match=words):
        adopted_input({**_message(["a"]), **change}, Film)


@pytest.mark.parametrize(
    ("embedded", "word"),
    [("callbacks", "link"), ("errbacks", "link_error"), ("chain", "chain"), ("chord", "chord")],
)
def test_what_other_tasks_are_to_follow_is_refused(embedded: str, word: str) -> None:
    message = {**_message([]), "body": json.dumps([["a.mp4"], {}, {embedded: [{"task": "next"}]}]), "properties": {}}
    with pytest.raises(NotAdoptableError, match=f"a Celery {word}, .* submit what follows"):
        adopted_input(message, Film)


def test_too_many_arguments_are_refused() -> None:
    with pytest.raises(NotAdoptableError, match="3 positional arguments for the 2 fields"):
        adopted_input(_message([1, 2, 3]), Film)
