"""`heavylift submit`: what INPUT may be, and how it ends."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from heavylift.cli.exits import ExitCode
from tests.scripted_api import Answer, ScriptedApi, answer, events, job, problem
from tests.unit.cli.conftest import Run

ID = str(job()["id"])
ENDED = {"id": 1, "event": "succeeded"}


def types(file_field: str | None) -> Answer:
    info = {"type": "t", "queue": "q", "input_schema": {}, "output_schema": {}, "file_field": file_field}
    return answer({"items": [info]})


def sent_input(api: ScriptedApi) -> object:
    return json.loads(api.requests[-1].body)["input"]


def test_json_text_is_the_input(api: ScriptedApi, heavylift: Run) -> None:
    api.script(answer(job(), 202))
    ended = heavylift("submit", "t", '{"a": [1, "x"]}', "--priority", "low", "--delay", "1.5")
    assert (ended.code, ended.out) == (ExitCode.OK, f"{ID}\n")
    assert json.loads(api.requests[0].body) == {
        "type": "t",
        "input": {"a": [1, "x"]},
        "priority": "low",
        "delay_seconds": 1.5,
    }


def test_at_and_a_file_is_the_json_it_holds(api: ScriptedApi, heavylift: Run, tmp_path: Path) -> None:
    (tmp_path / "input.json").write_text('{"a": 1}')
    api.script(answer(job(), 202))
    assert heavylift("submit", "t", f"@{tmp_path / 'input.json'}").code == ExitCode.OK
    assert sent_input(api) == {"a": 1}


def test_at_and_a_dash_is_the_json_on_stdin(api: ScriptedApi, heavylift: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"[1, 2]")))
    api.script(answer(job(), 202))
    assert heavylift("submit", "t", "@-").code == ExitCode.OK
    assert sent_input(api) == [1, 2]


def test_a_file_is_uploaded_where_the_type_takes_one(api: ScriptedApi, heavylift: Run, tmp_path: Path) -> None:
    (tmp_path / "film.mov").write_bytes(b"moving pictures")
    api.script(types("source"), answer(job(), 202))
    ended = heavylift("submit", "t", str(tmp_path / "film.mov"), "--with", '{"renditions": [240]}')
    assert ended.code == ExitCode.OK
    assert api.requests[-1].body == b"moving pictures"
    assert api.paths[-1].startswith("POST /upload?type=t&filename=film.mov")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("FILE",), "takes no file"),
        (("nowhere.mov",), "neither JSON nor a file"),
        (('{"a": ',), "no valid JSON"),
        (("@nowhere.json",), "cannot be read"),
        (("@FILE",), "holds no valid JSON"),
        (("{}", "--with", "{}"), "INPUT is JSON already"),
    ],
)
def test_what_fits_nothing_is_said_before_anything_is_sent(
    api: ScriptedApi, heavylift: Run, tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    (tmp_path / "f").write_text("no JSON")
    api.script(types(None))
    ended = heavylift("submit", "t", *(text.replace("FILE", str(tmp_path / "f")) for text in arguments))
    assert ended.code == ExitCode.USAGE
    assert sentence in " ".join(ended.err.replace("│", " ").split())
    assert not [path for path in api.paths if path.startswith("POST")]


@pytest.mark.parametrize(("status", "code"), [("succeeded", 0), ("failed", 1), ("cancelled", 1), ("expired", 1)])
def test_wait_tells_by_its_exit_code_how_the_job_ended(
    api: ScriptedApi, heavylift: Run, status: str, code: int
) -> None:
    api.script(answer(job(), 202), events({"id": 1, "event": status}), answer(job(status=status)))
    ended = heavylift("submit", "t", "{}", "--wait", "--json")
    assert ended.code == code
    assert json.loads(ended.out)["status"] == status


def test_progress_is_told_in_lines_where_there_is_no_terminal(api: ScriptedApi, heavylift: Run) -> None:
    common = {"event": "progress", "total": 100, "message": "work", "at": "2026-01-02T03:04:05Z"}
    steps = [{**common, "done": percent, "fraction": percent / 100} for percent in (1, 2, 3, 55, 100)]
    api.script(answer(job(), 202), events(*steps, ENDED), answer(job(status="succeeded")))
    told = heavylift("submit", "t", "{}", "--wait").err.splitlines()
    assert told == [ID, "    1%  work", "   55%  work", "  100%  work", "  succeeded"]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (problem(404, "gone"), ExitCode.NOT_FOUND),
        (problem(401, "who are you"), ExitCode.REFUSED),
        (problem(422, "wrong"), ExitCode.REFUSED),
        (problem(503, "full", **{"Retry-After": "600"}), ExitCode.UNREACHABLE),
    ],
)
def test_the_exit_code_tells_what_the_api_said(api: ScriptedApi, heavylift: Run, given: Answer, code: ExitCode) -> None:
    api.script(given)
    ended = heavylift("submit", "t", "{}")
    assert ended.code == code
    assert ended.out == ""
    assert json.loads(given.body)["detail"] in ended.err


def test_wrong_fields_are_named(api: ScriptedApi, heavylift: Run) -> None:
    errors = [{"pointer": "/input/renditions/0", "detail": "too small"}, {"parameter": "limit", "detail": "too big"}]
    api.script(answer({"title": "no", "detail": "Wrong input.", "errors": errors}, 422))
    ended = heavylift("submit", "t", "{}")
    assert ended.err == "heavylift: Wrong input.\n  /input/renditions/0: too small\n  limit: too big\n"
