"""`heavylift dev`, what it refuses to begin with."""

from __future__ import annotations

from heavylift.cli.exits import ExitCode
from tests.unit.cli.conftest import Run


def test_more_workers_that_stay_than_there_may_be_are_refused(heavylift: Run) -> None:
    ended = heavylift("dev", "--workers", "2", "--min-workers", "3")

    assert ended.code == ExitCode.USAGE
    assert "3 are more than --workers 2." in ended.err
