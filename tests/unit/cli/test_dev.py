"""`heavylift dev`, what it refuses to begin with."""

from __future__ import annotations

import pytest

from heavylift.cli.dev import ready_text
from heavylift.cli.exits import ExitCode
from tests.unit.cli.conftest import Run


def test_more_workers_that_stay_than_there_may_be_are_refused(heavylift: Run) -> None:
    ended = heavylift("dev", "--workers", "2", "--min-workers", "3")

    assert ended.code == ExitCode.USAGE
    assert "3 are more than --workers 2." in ended.err


@pytest.mark.parametrize("name", ["HEAVYLIFT_API_KEYS", "HEAVYLIFT_API_KEYS_FILE"])
def test_ready_says_that_a_key_is_needed_where_keys_are_set(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for each in ("HEAVYLIFT_API_KEYS", "HEAVYLIFT_API_KEYS_FILE"):
        monkeypatch.delenv(each, raising=False)
    assert ready_text() == "Ready. Ctrl-C ends everything."

    monkeypatch.setenv(name, "set")

    assert ready_text().startswith(f"Since {name} is set here, requests need a key: ")
