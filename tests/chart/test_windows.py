"""Windows of scaling: the chart takes those that the controller can follow, and a controller with another one ends."""

import re
from typing import Any
from zoneinfo import available_timezones

import pytest
from pydantic import ValidationError

from heavylift_controller.scaler.pools import PoolWindow
from tests.chart.helm import Helm
from tests.chart.values import SECRETS, merged, schema

POSSIBLE = (
    *("* * * * *", "0 8 * * 1-5", "*/5 * * * *", "0,30 8-17 * * *", "5/10 0-23/2 * * *", "59 23 31 12 7"),
    *("00 08 01 01 00", "0 8 * * MON-FRI", "0 8 * jan,Mar-MAY sun", "0 8 * JAN/3 MON/2", "0 0 L * *", "0 0 LW * *"),
    *("0 0 15,L * *", "0 0 * * 5L", "0 0 * * FRI#2", "0 0 * * 1#1,3#5", "0   8 * * *"),
)
IMPOSSIBLE = (
    *("0 88 * * 1-5", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 0 *", "* * * 13 *", "* * * * 8"),
    *("0 22-6 * * *", "0 8 * * SAT-SUN", "*/0 * * * *", "*/ * * * *", "/5 * * * *", "1,,2 * * * *", "1- * * * *"),
    *("1-2-3 * * * *", "*-5 * * * *", "*/5/2 * * * *", "1.5 * * * *", "-1 * * * *", "? * * * *", "MON * * * *"),
    *("* * * MON *", "* * * * JAN", "* * * * MONDAY", "* * L-3 * *", "* L * * *", "* * * * L", "* * * * FRIL"),
    *("* * * * 8L", "* * * * MON#6", "* * * * MON#0", "* * * * 1-3#2"),
)


def test_a_cron_expression_that_the_controller_follows_is_taken(helm: Helm):
    helm.template(_windows(POSSIBLE))
    assert [cron for cron in POSSIBLE if not _followed(cron)] == []


def test_one_that_it_refuses_is_refused_before_anything_is_installed(helm: Helm):
    refused = re.findall(r'autoscaling\.windows\[\d+\]\.cron is "(.+?)": ', helm.refusal(_windows(IMPOSSIBLE)))
    assert refused == list(IMPOSSIBLE)
    assert [cron for cron in IMPOSSIBLE if _followed(cron)] == []


@pytest.mark.parametrize("cron", ["@daily", "0 8 * *", "0 0 8 * * 1-5"])
def test_one_without_five_fields_does_not_fit_the_schema(helm: Helm, cron: str):
    assert f"'{cron}' does not match pattern" in helm.refusal(_windows([cron]))


def test_what_is_wrong_with_it_is_said(helm: Helm):
    sentence = (
        'workers.pools.video.autoscaling.windows[0].cron is "0 88 * * FRI-MON": "88" is no hour. Write 0 to 23, ranges '
        'upwards (1-5), steps of 1 or more (*/5). "FRI-MON" is no day of the week. Write 0 to 7,'
    )
    assert sentence in helm.refusal(_windows(["0 88 * * FRI-MON"]))


def test_every_zone_fits_the_schema():
    windows = schema()["properties"]["workers"]["properties"]["defaults"]["properties"]["autoscaling"]["properties"]
    shape = windows["windows"]["items"]["properties"]["timezone"]["pattern"]
    assert [zone for zone in available_timezones() if not re.search(shape, zone)] == []


@pytest.mark.parametrize("zone", ["", "+01:00", "/Europe/Berlin", "Europe/", "Europe//Berlin", "Central European Time"])
def test_what_looks_like_no_zone_is_refused(helm: Helm, zone: str):
    assert "windows/0/timezone': '" + zone + "' does not match pattern" in helm.refusal(_windows(["0 8 * * *"], zone))


def _windows(crons: tuple[str, ...] | list[str], zone: str = "UTC") -> dict[str, Any]:
    """Return values with a window for each: Helm names all that are wrong at once."""
    windows = [{"cron": cron, "duration": "1h", "min": 1, "timezone": zone} for cron in crons]
    return merged(SECRETS, {"workers": {"pools": {"video": {"autoscaling": {"windows": windows}}}}})


def _followed(cron: str) -> bool:
    try:
        PoolWindow(cron=cron, duration_seconds=3600, min=1)
    except ValidationError:
        return False
    return True
