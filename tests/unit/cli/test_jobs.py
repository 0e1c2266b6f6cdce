"""`heavylift jobs`, `job` and `cancel`."""

from __future__ import annotations

import json

from heavylift.cli.exits import ExitCode
from tests.scripted_api import ScriptedApi, answer, events, job, problem
from tests.unit.cli.conftest import Run

ID = str(job()["id"])


def test_jobs_lists_them_with_what_is_worth_knowing(api: ScriptedApi, heavylift: Run) -> None:
    failed = job(status="failed", error={"type": "failed", "message": "no [bold]picture"}, timings={"ran_seconds": 75})
    api.script(answer({"items": [failed], "next_cursor": "c2"}))
    ended = heavylift("jobs", "--status", "failed", "--limit", "1")
    assert api.paths == ["GET /v1/jobs?status=failed&limit=1"]
    for text in (ID, "failed", "1 min 15 s", "no [bold]picture", "--cursor c2"):
        assert text in ended.out


def test_jobs_as_json_is_the_page(api: ScriptedApi, heavylift: Run) -> None:
    api.script(answer({"items": [job()], "next_cursor": None}))
    assert json.loads(heavylift("jobs", "--json").out)["items"][0]["id"] == ID


def test_no_jobs_is_said(api: ScriptedApi, heavylift: Run) -> None:
    api.script(answer({"items": []}))
    assert heavylift("jobs").out == "No jobs.\n"


def test_job_shows_its_attempts_artifacts_and_result(api: ScriptedApi, heavylift: Run) -> None:
    attempt = {"number": 1, "worker": "w-7", "started_at": "2026-01-02T03:04:05Z", "outcome": "succeeded"}
    artifact = {
        "name": "720p.mp4",
        "role": "output",
        "size": 1_234_567,
        "sha256": "0" * 64,
        "content_type": "video/mp4",
        "url": "/x",
    }
    api.script(answer(job(status="succeeded", attempts=[attempt], artifacts=[artifact], output={"speed": 4.2})))
    ended = heavylift("job", ID)
    assert ended.code == ExitCode.OK
    for text in ("succeeded", "on w-7", "720p.mp4  1.23 MB  video/mp4", '"speed": 4.2'):
        assert text in ended.out


def test_job_shows_the_attempts_before_a_replay_too(api: ScriptedApi, heavylift: Run) -> None:
    attempts = [
        {"number": number, "worker": worker, "started_at": "2026-01-02T03:04:05Z", "outcome": "failed"}
        for worker in ("w-1", "w-2")
        for number in (1, 2)
    ]
    api.script(answer(job(status="failed", attempts=attempts)))
    lines = [line.split() for line in heavylift("job", ID).out.splitlines() if line.startswith("attempt")]
    assert [(line[1], line[-1]) for line in lines] == [("1", "w-1"), ("2", "w-1"), ("1", "w-2"), ("2", "w-2")]


def test_a_failed_job_that_is_only_looked_at_is_no_failure(api: ScriptedApi, heavylift: Run) -> None:
    api.script(answer(job(status="failed")))
    assert heavylift("job", ID).code == ExitCode.OK


def test_a_failed_job_that_is_watched_is_one(api: ScriptedApi, heavylift: Run) -> None:
    api.script(events({"id": 1, "event": "failed", "message": "no picture"}), answer(job(status="failed")))
    ended = heavylift("job", ID, "--watch")
    assert ended.code == ExitCode.JOB_FAILED
    assert "failed: no picture" in ended.err


def test_cancel_says_whether_the_job_is_cancelled_or_was_asked(api: ScriptedApi, heavylift: Run) -> None:
    api.script(answer(job(status="cancelled")), answer(job(status="running", cancel_requested=True), 202))
    assert "is cancelled" in heavylift("cancel", ID).out
    assert "was asked to stop" in heavylift("cancel", ID).out


def test_a_job_that_has_ended_is_not_cancelled(api: ScriptedApi, heavylift: Run) -> None:
    api.script(problem(409, "It has ended already."))
    ended = heavylift("cancel", ID)
    assert (ended.code, ended.err) == (ExitCode.REFUSED, "heavylift: It has ended already.\n")


def test_a_url_that_is_none_is_a_usage_error(heavylift: Run) -> None:
    ended = heavylift("jobs", "--url", "localhost:8000")
    assert ended.code == ExitCode.USAGE
    assert "is no URL" in ended.err


def test_nobody_listening_is_its_own_exit_code(api: ScriptedApi, heavylift: Run) -> None:
    with ScriptedApi() as gone:
        url = gone.url
    ended = heavylift("jobs", "--url", url)
    assert ended.code == ExitCode.UNREACHABLE
    assert "heavylift dev" in ended.err
