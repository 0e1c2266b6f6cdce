from __future__ import annotations

from datetime import timedelta

import pytest

from heavylift.errors import ConfigurationError
from heavylift.settings import load
from heavylift_controller.settings import ControllerSettings


@pytest.mark.parametrize("text", ["20", "20.0", "PT20S"])
def test_durations_are_seconds_or_iso_8601(text: str, monkeypatch) -> None:
    monkeypatch.setenv("HEAVYLIFT_LEASE_PERIOD", text)
    assert load(ControllerSettings).lease_period == timedelta(seconds=20)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HEAVYLIFT_LEASE_PERIOD", "soon"),
        ("HEAVYLIFT_LEASE_PERIOD", "2"),
        ("HEAVYLIFT_CONTROLLER_TICK", "0"),
        ("HEAVYLIFT_METRICS_PORT", "70000"),
        ("HEAVYLIFT_LOG_FORMAT", "xml"),
    ],
)
def test_a_bad_value_is_refused_by_name(name: str, value: str, monkeypatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=name):
        load(ControllerSettings)
