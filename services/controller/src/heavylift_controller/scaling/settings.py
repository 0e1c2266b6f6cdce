"""What a user says about a pool."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class QueueTarget:
    """A queue the pool serves."""

    target_wait: float = 30.0
    """Seconds within which a job should begin. Longer is cheaper: fewer workers take a burst one after the other."""
    priority: int = 0
    """Workers empty queues of a higher priority first."""
    expected_service: float = 10.0
    """Seconds a job is expected to take until jobs of its type have ended, or have run for longer."""


@dataclass(frozen=True, slots=True)
class Window:
    """A time in which at least `least` workers stand ready: from each time of `cron`, for `seconds`."""

    cron: str
    seconds: float
    least: int
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """A pool's settings. `hold_at`, `paused`, `freeze_in` and `freeze_out` are a person's word and come first."""

    queues: Mapping[str, QueueTarget]
    slots: int = 1
    """Jobs a worker runs at a time."""
    least: int = 0
    most: int = 10
    idle: int = 0
    """Workers kept free for what may come, beside the busy ones."""
    windows: tuple[Window, ...] = ()
    paused: bool = False
    freeze_in: bool = False
    freeze_out: bool = False
    hold_at: int | None = None
    """A number set by hand; it stands whatever the queues say."""
    budget: float = 0.7
    """The share of a target that a plan may use up; the rest is for what no plan foresees."""
