"""A worker's settings."""

from __future__ import annotations

from datetime import timedelta

import pytest

from heavylift.errors import ConfigurationError
from heavylift.settings import load
from heavylift_worker.settings import WorkerSettings


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90", timedelta(seconds=90)),
        ("90s", timedelta(seconds=90)),
        ("1.5 m", timedelta(seconds=90)),
        ("24h", timedelta(days=1)),
        ("PT0.5S", timedelta(seconds=0.5)),
    ],
)
def test_the_grace_is_a_length_of_time(monkeypatch: pytest.MonkeyPatch, text: str, expected: timedelta) -> None:
    monkeypatch.setenv("HEAVYLIFT_GRACE", text)
    assert load(WorkerSettings).grace == expected


def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEAVYLIFT_QUEUES", "video, image,")
    monkeypatch.setenv("HEAVYLIFT_JOBS", "a.b,c")
    settings = load(WorkerSettings)
    assert (settings.queues, settings.jobs) == (("video", "image"), ("a.b", "c"))


def test_what_is_given_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEAVYLIFT_CONCURRENCY", "3")
    assert load(WorkerSettings).concurrency == 3
    assert load(WorkerSettings, concurrency="2").concurrency == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CONCURRENCY", "0"),
        ("CONCURRENCY", "two"),
        ("GRACE", "a while"),
        ("WORKER_NAME", "two words"),
        ("WORKER_NAME", ""),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_a_bad_value_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"HEAVYLIFT_{name}", value)
    with pytest.raises(ConfigurationError, match=f"HEAVYLIFT_{name}: "):
        load(WorkerSettings)


@pytest.mark.parametrize(("sentinels", "least"), [("", 6), ("one,two", 18)])
def test_a_worker_that_tries_to_reach_redis_is_never_taken_for_stuck(
    monkeypatch: pytest.MonkeyPatch, sentinels: str, least: int
) -> None:
    monkeypatch.setenv("HEAVYLIFT_REDIS_SENTINELS", sentinels)
    assert load(WorkerSettings, stalled_after=f"{least}s").stalled_after == timedelta(seconds=least)
    with pytest.raises(ConfigurationError, match=f"HEAVYLIFT_STALLED_AFTER .* at least {least} s"):
        load(WorkerSettings, stalled_after=f"{least - 0.1}s")
