"""How many jobs a second come into a queue, and when those that wait came: learned from the counter of arrivals.

A queue is taken from in order, so what waits is what came last. With the counter as it stood at a few moments of the
past, the age of every waiting job follows; the oldest job's age alone would make all of them look that old.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import exp

SECONDS = 120.0
"""An arrival's weight falls by a factor of e in this time: long against the gaps of traffic, short against a day's."""
LEAST_WATCHED = 0.15
"""The share of a memory that is watched before its rate is taken for the whole: a first burst is not a rate yet."""
SPACING = 1.0
"""Seconds between two points of the past at least."""
POINTS = 64
"""Points kept; every other one of the older half is dropped when they are too many."""


@dataclass(frozen=True, slots=True)
class ArrivalMemory:
    """The counter and when it was read last; its fading rate, and of how much of a whole memory; points of the past."""

    counter: int
    at: float
    faded: float = 0.0
    watched: float = 0.0
    points: tuple[tuple[float, int], ...] = ()

    @property
    def rate(self) -> float:
        """Arrivals a second."""
        return self.faded / max(self.watched, LEAST_WATCHED)


def learn(memory: ArrivalMemory | None, counter: int, now: float) -> ArrivalMemory:
    """Return the memory with what came since. A counter that went back was reset.

    A clock that went back takes the past with it. One that was set forward cannot be told from a time of silence.
    """
    if memory is None or counter < memory.counter:
        return ArrivalMemory(counter, now, points=((now, counter),))
    elapsed = now - memory.at
    if elapsed < 0:  # the clock was set back: what came since is counted with what comes next
        return replace(memory, at=now, points=tuple((min(at + elapsed, now), count) for at, count in memory.points))
    if elapsed == 0:
        return memory
    keep = exp(-elapsed / SECONDS)
    return ArrivalMemory(
        counter,
        now,
        memory.faded * keep + (1 - keep) * (counter - memory.counter) / elapsed,
        memory.watched * keep + (1 - keep),
        _with_point(memory.points, now, counter),
    )


def _with_point(points: tuple[tuple[float, int], ...], now: float, counter: int) -> tuple[tuple[float, int], ...]:
    if now - points[-1][0] < SPACING or counter == points[-1][1]:
        return points
    if len(points) >= POINTS:
        points = (*points[: POINTS // 2 : 2], *points[POINTS // 2 :])
    return (*points, (now, counter))


def groups(
    memory: ArrivalMemory, waiting: int, *, oldest_age: float, now: float, most: int = 6
) -> list[tuple[int, float]]:
    """Return what waits as (jobs, seconds waited at most), the oldest first, in `most` groups or a few more."""
    found, before, age = [], 0, oldest_age
    for at, counter in memory.points:
        older = waiting - (memory.counter - counter)
        if older - before >= max(1.0, waiting / most):
            found.append((older - before, age))
            before = older
        if older <= before:
            age = min(oldest_age, max(0.0, now - at))
    return [*found, (waiting - before, age)] if waiting > before else found
