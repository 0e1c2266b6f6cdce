"""Times in which a pool keeps workers ready, whether jobs wait or not."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from cronsim import CronSim

from heavylift_controller.scaling.settings import Window


def least_at(windows: Iterable[Window], now: float) -> int:
    """Return the most workers that a window open now asks for."""
    return max((window.least for window in windows if is_open(window, now)), default=0)


def is_open(window: Window, now: float) -> bool:
    """Return whether the window has begun and is not over."""
    return now - _began(window.cron, window.timezone, int(now)) < window.seconds


@lru_cache(maxsize=1024)
def _began(cron: str, timezone: str, now: int) -> float:
    """Return when the newest time of a cron expression was. Many pools have the same, and a time is a whole second."""
    here = datetime.fromtimestamp(now, ZoneInfo(timezone))
    began = next(CronSim(cron, here + timedelta(minutes=1), reverse=True))
    while began > here:
        began = next(CronSim(cron, began, reverse=True))
    return began.timestamp()
