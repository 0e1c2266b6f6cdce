"""How long a worker without work is kept before it goes.

Keeping it costs its seconds; letting it go costs a boot when work comes back. Which is cheaper depends on the traffic,
so it is learned: for each of a few times it is reckoned what the pool would have cost lately, had it always kept
workers for that long, and the cheapest is taken. One number then serves both the burst that does not come back and the
noise of steady traffic, which would otherwise start and stop a worker with every job.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp

CHOICES = (2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)
"""Seconds."""
FADE_SECONDS = 900.0
"""What was reckoned fades by a factor of e in this time."""
LONGEST_STEP = 10.0
"""Seconds reckoned at most between two decisions: a controller that was away has not seen what it missed."""


@dataclass(frozen=True, slots=True)
class HoldMemory:
    """What each choice would have cost, and the workers it would keep now."""

    at: float
    peaks: tuple[tuple[float, int], ...] = ()
    """(time, wanted), falling: the later wants that no still later one has exceeded."""
    kept: tuple[int, ...] = (0,) * len(CHOICES)
    costs: tuple[float, ...] = (0.0,) * len(CHOICES)


def learn(memory: HoldMemory | None, wanted: int, now: float, *, restart: float) -> HoldMemory:
    """Return the memory after `wanted` workers at `now`; a restart costs so many seconds of a worker."""
    if memory is None:
        return HoldMemory(now, ((now, wanted),), (wanted,) * len(CHOICES), prior(restart))
    step = min(max(now - memory.at, 0.0), LONGEST_STEP)
    fade = exp(-step / FADE_SECONDS)
    set_back = min(now - memory.at, 0.0)  # a clock that was set back takes the past with it
    past = [(min(at + set_back, now), peak) for at, peak in memory.peaks if peak > wanted]
    peaks = (*((at, peak) for at, peak in past if at >= now - CHOICES[-1]), (now, wanted))
    kept = tuple(_peak(peaks, since=now - choice) for choice in CHOICES)
    costs = tuple(
        cost * fade + before * step + restart * max(0, after - before)
        for cost, before, after in zip(memory.costs, memory.kept, kept, strict=True)
    )
    return HoldMemory(now, peaks, kept, costs)


def prior(restart: float) -> tuple[float, ...]:
    """Return costs to begin with, least for half a restart: it never costs half as much again as hindsight would."""
    return tuple(restart * abs(choice - restart / 2) / restart for choice in CHOICES)


def chosen(memory: HoldMemory) -> int:
    """Return the index of the cheapest choice, the longer one of equals."""
    least = min(memory.costs)
    return max(index for index, cost in enumerate(memory.costs) if cost <= least)


def _peak(peaks: tuple[tuple[float, int], ...], *, since: float) -> int:
    """Return the most wanted since a time; the peaks fall, so it is the first of them."""
    return next(peak for at, peak in peaks if at >= since)
