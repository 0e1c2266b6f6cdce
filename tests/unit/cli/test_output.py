"""Numbers in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from heavylift.cli.output import age, size
from heavylift.cli.show import seconds


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1 KB"), (3_130_000, "3.13 MB"), (20 * 10**12, "20 TB")]
)
def test_sizes(count: int, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.004, "0.00 s"), (9.5, "9.50 s"), (59.94, "59.9 s"), (83_000, "1383 min 20 s")]
)
def test_durations(value: float, text: str) -> None:
    assert seconds(value) == text


@pytest.mark.parametrize(
    ("past", "text"),
    [
        (timedelta(seconds=-3), "0 s ago"),
        (timedelta(minutes=3, seconds=5), "3 min ago"),
        (timedelta(days=2.5), "2 d ago"),
    ],
)
def test_ages(past: timedelta, text: str) -> None:
    assert age(datetime.now(UTC) - past) == text
