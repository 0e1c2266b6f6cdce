"""Times in which a pool keeps workers ready, whether jobs wait or not."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim

from heavylift_controller.scaling.settings import Window


def least_at(windows: Iterable[Window], now: float) -> int:
    """Return the most workers that a window open now asks for."""
    return max((window.least for window in windows if is_open(window, now)), default=0)


def is_open(window: Window, now: float) -> bool:
    """Return whether the window has begun and is not over."""
    here = datetime.fromtimestamp(now, ZoneInfo(window.timezone))
    began = next(CronSim(window.cron, here + timedelta(minutes=1), reverse=True))
    while began > here:
        began = next(CronSim(window.cron, began, reverse=True))
    return here - began < timedelta(seconds=window.seconds)
