from __future__ import annotations

from datetime import UTC, datetime

import pytest
from kombu.transport.redis import PRIORITY_STEPS
from kombu.transport.redis import Channel as StockChannel
from pydantic import ValidationError

from heavylift.constants import PRIORITY_SEPARATOR, Keys
from heavylift.model import TERMINAL, Event, JobStatus, Priority, Progress, RetryPolicy

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def test_priorities_are_kombus_steps_and_lists_are_named_as_kombu_names_them() -> None:
    assert sorted(Priority) == PRIORITY_STEPS
    assert StockChannel.sep == PRIORITY_SEPARATOR
    assert Keys().lists("video") == ["video", "video\x06\x163", "video\x06\x166", "video\x06\x169"]


@pytest.mark.parametrize("status", JobStatus)
def test_four_states_are_terminal(status: JobStatus) -> None:
    assert status.terminal == (status in TERMINAL) == (status in {"succeeded", "failed", "cancelled", "expired"})


def test_all_state_of_a_queue_lies_in_one_slot_and_under_the_prefix() -> None:
    keys = Keys("team.")
    names = [
        keys.job("video", "u"),
        keys.events("video", "u"),
        keys.index("video", "queued"),
        keys.due("video"),
        keys.wake("video"),
        keys.leases("video"),
        keys.beats("video"),
        keys.told("video", "u"),
    ]

    assert all(name.startswith("team.hl:{video}:") for name in names)
    assert len(set(names)) == len(names)
    assert all(name.startswith("team.") for name in (*keys.lists("video"), keys.types, keys.queues))
    assert keys.script_keys("video") == ["team.hl:{video}:", *keys.lists("video")]


def test_times_without_a_zone_are_refused() -> None:
    with pytest.raises(ValidationError):
        Progress(done=1, at=datetime(2026, 1, 2))
    with pytest.raises(ValidationError):
        Event.model_validate({"id": 1, "event": "queued", "at": "2026-01-02T00:00:00"})


@pytest.mark.parametrize("attempts", [0, -1, 101])
def test_the_number_of_attempts_is_bounded(attempts: int) -> None:
    with pytest.raises(ValidationError):
        RetryPolicy(max_attempts=attempts)


def test_an_event_keeps_any_json_as_its_data() -> None:
    event = Event(id=1, event="log", at=NOW, data={"n": 12345678901234567890, "empty": [], "deep": {"x": None}})

    assert Event.model_validate_json(event.model_dump_json()) == event
