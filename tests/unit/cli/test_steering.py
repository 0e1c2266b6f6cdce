"""`heavylift submit-batch`, `replay`, `queues` and the commands for schedules."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from heavylift.cli.exits import ExitCode
from tests.scripted_api import Answer, ScriptedApi, answer, job, problem
from tests.unit.cli.conftest import Run
from tests.unit.client.test_steering import ID, QUEUE, SCHEDULE, batch

LINES = '{"type":"t","input":1}\n\n{"type":"t","input":2}\n'


@pytest.mark.parametrize("content", [LINES, '[{"type":"t","input":1},{"type":"t","input":2}]'])
def test_a_batch_is_read_as_lines_or_as_a_list(api: ScriptedApi, heavylift: Run, tmp_path: Path, content: str) -> None:
    (tmp_path / "jobs").write_text(content)
    api.script(batch("accepted", "repeated"))
    ended = heavylift("submit-batch", str(tmp_path / "jobs"))
    assert (ended.code, ended.out) == (ExitCode.OK, f"{ID}\n{ID}\n")
    assert json.loads(api.requests[0].body)["items"] == [{"type": "t", "input": 1}, {"type": "t", "input": 2}]


def test_a_batch_of_inputs_has_one_type(api: ScriptedApi, heavylift: Run, tmp_path: Path) -> None:
    (tmp_path / "inputs").write_text("[1, 2]\n[3]\n")
    api.script(batch("accepted", "accepted"))
    heavylift("submit-batch", str(tmp_path / "inputs"), "--type", "t", "--idempotency-key", "k")
    assert json.loads(api.requests[0].body)["items"] == [{"type": "t", "input": [1, 2]}, {"type": "t", "input": [3]}]
    assert api.requests[0].headers["Idempotency-Key"] == '"k-0"'


def test_more_jobs_than_a_request_takes_are_several_requests(api: ScriptedApi, heavylift: Run, tmp_path: Path) -> None:
    (tmp_path / "inputs").write_text("1\n" * 10_001)
    refused = {"outcome": "refused", "problem": {"detail": "bad", "errors": [{"pointer": "/items/0", "detail": "no"}]}}
    api.script(batch(*["accepted"] * 10_000), answer({"counts": {"refused": 1}, "results": [refused]}, 202))
    ended = heavylift("submit-batch", str(tmp_path / "inputs"), "--type", "t")
    assert [len(json.loads(request.body)["items"]) for request in api.requests] == [10_000, 1]
    assert ended.code == ExitCode.REFUSED
    assert "job 10001 refused: bad (/items/0: no)" in ended.err
    assert "10001 jobs: 10000 accepted, 1 refused." in ended.err


def test_an_api_that_goes_away_leaves_the_ids_and_the_key(api: ScriptedApi, heavylift: Run, tmp_path: Path) -> None:
    (tmp_path / "inputs").write_text("1\n" * 10_001)
    api.script(batch(*["accepted"] * 10_000), problem(503, "full", **{"Retry-After": "3600"}))
    ended = heavylift("submit-batch", str(tmp_path / "inputs"), "--type", "t", "--idempotency-key", "k")
    assert (ended.code, ended.out.count(ID)) == (ExitCode.UNREACHABLE, 10_000)
    assert "--idempotency-key k" in ended.err


@pytest.mark.parametrize(
    ("content", "said"), [("{", "line 1 is no valid JSON"), ("7", "job 1 is no job"), ("", "holds no jobs")]
)
def test_what_is_no_batch_is_a_usage_error(heavylift: Run, tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "jobs").write_text(content)
    ended = heavylift("submit-batch", str(tmp_path / "jobs"))
    assert ended.code == ExitCode.USAGE
    assert said in " ".join(ended.err.replace("│", " ").split())


def test_named_jobs_are_replayed_and_what_cannot_be_is_said(api: ScriptedApi, heavylift: Run) -> None:
    api.script(answer(job(), 202), problem(409, "It has not failed."))
    ended = heavylift("replay", ID, "video-x")
    assert (ended.code, ended.out) == (ExitCode.REFUSED, "1 job queued again.\n")
    assert "video-x: It has not failed." in ended.err


def test_a_replay_by_filter_goes_on_to_its_end(api: ScriptedApi, heavylift: Run) -> None:
    api.script(answer({"replayed": 10_000, "next_cursor": "c"}, 202), answer({"replayed": 5}, 202))
    ended = heavylift("replay", "--type", "t", "--error", "lost", "--after", "2026-01-02")
    assert ended.out == "10005 jobs queued again.\n"
    first, second = (json.loads(request.body) for request in api.requests)
    assert first == {"type": "t", "error": "lost", "failed_after": "2026-01-02T00:00:00+00:00", "limit": 10_000}
    assert second == {**first, "cursor": "c"}


def test_a_replay_stops_at_its_limit(api: ScriptedApi, heavylift: Run) -> None:
    api.script(answer({"replayed": 3, "next_cursor": "c"}, 202))
    assert json.loads(heavylift("replay", "--queue", "q", "--limit", "3", "--json").out) == {"replayed": 3}


def test_all_failed_jobs_are_replayed_where_that_is_said(api: ScriptedApi, heavylift: Run) -> None:
    api.script(answer({"replayed": 2}, 202))
    assert heavylift("replay", "--all").out == "2 jobs queued again.\n"
    assert json.loads(api.requests[0].body)["all"] is True


@pytest.mark.parametrize("arguments", [[], [ID, "--type", "t"], [ID, "--all"]])
def test_a_replay_of_everything_by_mistake_is_a_usage_error(heavylift: Run, arguments: list[str]) -> None:
    assert heavylift("replay", *arguments).code == ExitCode.USAGE


def test_queues_are_a_table(api: ScriptedApi, heavylift: Run) -> None:
    api.script(answer({"items": [QUEUE]}), answer({"items": []}))
    assert heavylift("queues").out.splitlines()[1].split() == ["q", "1", "2", "3", "4", "5.50", "s"]
    assert "No queues" in heavylift("queues").out


def test_a_schedule_shows_its_next_runs_in_its_zone(api: ScriptedApi, heavylift: Run) -> None:
    detail = {**SCHEDULE, "time_zone": "Europe/Berlin", "next_runs": ["2026-01-02T03:00:00Z"]}
    api.script(answer(detail, 201))
    ended = heavylift("schedule", "nightly", "t", '{"a": 1}', "--cron", "0 4 * * *", "--time-zone", "Europe/Berlin")
    assert "Fri 2026-01-02 04:00 CET" in ended.out
    sent = json.loads(api.requests[0].body)
    assert (sent["cron"], sent["time_zone"], sent["input"]) == ("0 4 * * *", "Europe/Berlin", {"a": 1})


def test_schedules_are_listed_and_removed(api: ScriptedApi, heavylift: Run) -> None:
    api.script(answer({"items": [SCHEDULE]}), Answer(204), problem(404, "There is no such schedule."))
    assert "2026-01-02 03:00 UTC" in heavylift("schedules").out
    assert heavylift("unschedule", "nightly").out == "nightly is removed.\n"
    assert heavylift("unschedule", "nightly").code == ExitCode.NOT_FOUND


def test_an_input_that_is_no_json_is_a_usage_error(heavylift: Run) -> None:
    assert heavylift("schedule", "n", "t", "{", "--cron", "* * * * *").code == ExitCode.USAGE
