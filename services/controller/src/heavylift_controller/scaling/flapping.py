"""The guard against flapping: scale-ins that were regretted at once, time and again, make the next ones slower.

The hold is learned from what was wanted; this looks at what was done, so that a pool whose workers go and come back for
a reason that nobody foresaw calms down.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp

REGRETTED = 10.0
"""Seconds after a scale-in within which a scale-out regrets it."""
FADE_SECONDS = 300.0
"""A regret counts for less by a factor of e after this time."""
TOLERATED = 4.0
"""Regrets, so faded, for each step the hold grows by."""
MOST_STEPS = 2


@dataclass(frozen=True, slots=True)
class FlapMemory:
    """The replicas seen at a time, when they last fell, and the regrets."""

    at: float
    replicas: int
    fell_at: float | None = None
    regrets: float = 0.0

    @property
    def steps(self) -> int:
        """By how many choices the hold is to be longer."""
        return min(int(self.regrets / TOLERATED), MOST_STEPS)


def learn(memory: FlapMemory | None, replicas: int, now: float) -> FlapMemory:
    """Return the memory after so many replicas were seen."""
    if memory is None:
        return FlapMemory(now, replicas)
    regrets = memory.regrets * exp(-max(now - memory.at, 0.0) / FADE_SECONDS)
    if replicas < memory.replicas:
        return FlapMemory(now, replicas, now, regrets)
    fell_ago = -1.0 if memory.fell_at is None else now - memory.fell_at  # below zero, too, where the clock was set back
    if replicas > memory.replicas and 0 <= fell_ago <= REGRETTED:
        return FlapMemory(now, replicas, None, regrets + 1)
    return FlapMemory(now, replicas, memory.fell_at, regrets)
