"""How many jobs a second come into a queue, learned from the counter of arrivals."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp

SECONDS = 120.0
"""An arrival's weight falls by a factor of e in this time: long against the gaps of traffic, short against a day's."""


@dataclass(frozen=True, slots=True)
class ArrivalMemory:
    """The counter as last read, and the fading rate a second. What has been watched for a moment only counts little."""

    counter: int
    at: float
    rate: float = 0.0


def learn(memory: ArrivalMemory | None, counter: int, now: float) -> ArrivalMemory:
    """Return the memory with what came since. A counter that went back was reset."""
    if memory is None:
        return ArrivalMemory(counter, now)
    elapsed = now - memory.at
    if elapsed <= 0:
        return memory
    came = counter - memory.counter if counter >= memory.counter else counter
    keep = exp(-elapsed / SECONDS)
    return ArrivalMemory(counter, now, memory.rate * keep + (1 - keep) * came / elapsed)
