"""`heavylift pools` and what it says about a pool."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
import typer
from rich.console import Console

from heavylift.cli.exits import ExitCode
from heavylift.cli.inputs import parse_duration
from heavylift.cli.pools import show_live
from heavylift.client import PoolView
from tests.scripted_api import ScriptedApi, answer, problem
from tests.unit.cli.conftest import Run
from tests.unit.client.test_pools import POOL, RECORD


def test_pools_are_a_table_with_the_reason(api: ScriptedApi, heavylift: Run) -> None:
    api.script(answer({"items": [POOL]}))
    head, row = heavylift("pools").out.splitlines()
    assert head.split()[2:] == ["waiting", "running", "oldest", "current", "desired", "ready", "draining", "reason"]
    assert row.split()[:11] == ["video", "films,", "video", "40", "3", "2.50", "s", "3", "12", "2", "1"]
    assert row.endswith("12 workers instead of 3: as many begin the waiting jobs in time.")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"stale": True, "decided_at": "2026-01-02T03:04:05Z"}, "out of date, decided "),
        ({"held_by": "ann"}, "held by ann; 12 workers"),
        ({"held_by": "ann", "hold_until": "2030-01-02T03:04:05Z"}, "held by ann until 2030-01-02 03:04:05 UTC; 12"),
        ({"paused": True}, "paused; 12 workers"),
        ({"shadow": True}, "shadow: 12 workers"),
        ({"note": "HorizontalPodAutoscaler/x owns it."}, "in time. HorizontalPodAutoscaler/x owns it."),
        ({"waiting": None, "running": None, "oldest_age_seconds": None}, "video  films, video        ?        ?  "),
    ],
)
def test_what_makes_a_number_less_than_it_seems_is_said(
    api: ScriptedApi, heavylift: Run, fields: dict[str, object], said: str
) -> None:
    api.script(answer({"items": [{**POOL, **fields}]}))
    assert said in heavylift("pools").out


def test_no_pools_are_a_sentence_and_json_a_list(api: ScriptedApi, heavylift: Run) -> None:
    api.script(answer({"items": []}), answer({"items": [POOL]}))
    assert "no controller decides" in heavylift("pools").out
    [pool] = json.loads(heavylift("pools", "--json").out)["items"]
    assert (pool["pool"], pool["desired"]) == ("video", 12)


def test_watching_looks_again_until_the_api_is_gone(api: ScriptedApi, heavylift: Run) -> None:
    grown = {**POOL, "current": 12}
    api.script(answer({"items": [POOL]}), answer({"items": [grown]}), problem(404, "gone"))
    ended = heavylift("pools", "--watch")
    assert (ended.code, ended.out.count("films, video")) == (ExitCode.NOT_FOUND, 2)


def test_on_a_terminal_each_look_takes_the_place_of_the_one_before() -> None:
    written = StringIO()
    console = Console(file=written, force_terminal=True, width=200)
    show_live([[PoolView.model_validate({**POOL, "current": number})] for number in (77, 88)], console)
    first, _, second = written.getvalue().partition("88")
    assert "77" in first
    assert "\x1b[1A" in first  # up one line, to write over it
    assert "77" not in second


def test_ctrl_c_ends_watching_with_its_own_exit_code() -> None:
    def interrupted() -> Iterator[list[PoolView]]:
        yield [PoolView.model_validate(POOL)]
        raise KeyboardInterrupt

    with pytest.raises(typer.Exit) as ended:
        show_live(interrupted(), Console(file=StringIO()))
    assert ended.value.exit_code == ExitCode.INTERRUPTED


def test_a_pool_is_shown_with_its_record(api: ScriptedApi, heavylift: Run) -> None:
    api.script(answer(RECORD), answer(RECORD), problem(404, "There is no pool 'x'. There are: video."))
    shown = heavylift("pools", "show", "video").out
    for words in (
        "40 waiting, 3 running",
        "3 asked for, 12 wanted, 2 ready",
        "rel-heavylift-worker-video",
        "waiting 40, service seconds 3.25",
        "backlog 12, steady 2",
        "2026-01-02 03:03:05 UTC  1 → 3  3 workers instead of 1.",
    ):
        assert words in shown
    assert "boot" not in shown
    [change] = json.loads(heavylift("pools", "show", "video", "--json").out)["last"]
    assert (change["from"], change["to"]) == (1, 3)
    ended = heavylift("pools", "show", "x")
    assert (ended.code, "There are: video" in ended.err) == (ExitCode.NOT_FOUND, True)


def test_a_hold_says_how_it_ends(api: ScriptedApi, heavylift: Run) -> None:
    api.script(answer(RECORD, 202), answer(RECORD, 202))
    assert heavylift("pools", "hold", "video", "5").out == (
        "video is held at 5 until `heavylift pools release video`.\n"
    )
    said = heavylift("pools", "hold", "video", "0", "--for", "2h").out
    assert f"held at 0 until {datetime.now(UTC) + timedelta(hours=2):%Y-%m-%d %H:}" in said
    assert [json.loads(request.body) for request in api.requests] == [{"replicas": 5}, {"replicas": 0, "for": 7200.0}]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("release", "its queues decide"),
        ("pause", "heavylift pools resume video"),
        ("resume", "follows its queues"),
        ("freeze-in", "loses no worker until `heavylift pools thaw video`"),
        ("freeze-out", "gets no more workers until `heavylift pools thaw video`"),
        ("thaw", "may grow and shrink"),
    ],
)
def test_orders_are_sent_and_told(api: ScriptedApi, heavylift: Run, command: str, said: str) -> None:
    api.script(answer(RECORD, 202))
    ended = heavylift("pools", command, "video")
    assert (ended.code, said in ended.out) == (ExitCode.OK, True)
    assert api.paths == [f"POST /v1/pools/video:{command}"]


def test_a_hold_for_no_time_is_a_usage_error(api: ScriptedApi, heavylift: Run) -> None:
    assert heavylift("pools", "hold", "video", "5", "--for", "soon").code == ExitCode.USAGE
    assert api.requests == []


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("1.5s", 1.5), ("30m", 1800), ("2h", 7200), ("1h30m", 5400), ("1d2h3m4s", 93_784)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "h", "0", "0s", "-5", "5x", "30m2h", "1e3", "5 6"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="no duration"):
        parse_duration(text)
