"""How long a pod takes from its node to its worker's first report, learned as a function of how many boot at once.

Pods that boot together share the node's processor and the registry: measured on one small node, 1.9 s alone and 9.5 s
for eight. A straight line through the observations, older ones fading, says what a step of any size will take.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from heavylift_controller.scaling.state import Phase, Worker

FADE = 0.97
"""An observation's weight falls by this with each later one: some thirty count."""
FIRST_GUESS = (3.0, 0.3)
"""Seconds alone, and for each that boots beside it, before anything was seen."""
SURPRISED = 4.0
"""How many times what was expected of a boot is believed at most. What waits out an outage says nothing of boots."""
BELIEVED = 30.0
"""Seconds that are believed in any case: a first pull of an image."""
SURPRISED_FADE = 0.7
"""FADE after an observation that was not believed: the next few then tell whether it was one of a kind."""
GUESS_WEIGHT = 0.5
"""How many observations the first guess is worth; it fades as they do."""


@dataclass(frozen=True, slots=True)
class BootMemory:
    """Fading sums of the observations (beside, seconds), and the pods that boot now with the most seen beside each.

    What is `believed` of each is fixed when it is first seen: pods of one outage do not vouch for each other.
    """

    weight: float = 0.0
    beside: float = 0.0
    beside_squared: float = 0.0
    seconds: float = 0.0
    product: float = 0.0
    booting: Mapping[str, int] = field(default_factory=dict)
    believed: Mapping[str, float] = field(default_factory=dict)


def learn(memory: BootMemory, workers: tuple[Worker, ...]) -> BootMemory:
    """Return the memory with the boots that have ended since."""
    booting = [worker.name for worker in workers if worker.phase is Phase.BOOTING]
    if not booting and not memory.booting:
        return memory
    for worker in workers:
        if worker.name in memory.booting and worker.booted_in is not None:
            believed = memory.believed.get(worker.name, BELIEVED)
            memory = _observe(memory, memory.booting[worker.name], worker.booted_in, believed)
    beside = max(0, len(booting) - 1)
    most = max(BELIEVED, SURPRISED * estimate(memory).of(len(booting)))
    return replace(
        memory,
        booting={name: max(beside, memory.booting.get(name, 0)) for name in booting},
        believed={name: memory.believed.get(name, most) for name in booting},
    )


def _observe(memory: BootMemory, beside: int, seconds: float, believed: float) -> BootMemory:
    fade, seconds = (FADE, seconds) if seconds <= believed else (SURPRISED_FADE, believed)
    return replace(
        memory,
        weight=memory.weight * fade + 1,
        beside=memory.beside * fade + beside,
        beside_squared=memory.beside_squared * fade + beside * beside,
        seconds=memory.seconds * fade + seconds,
        product=memory.product * fade + beside * seconds,
    )


@dataclass(frozen=True, slots=True)
class BootTime:
    """The line: `alone` seconds, and `each` more for every pod that boots beside."""

    alone: float
    each: float

    def of(self, together: int) -> float:
        """Return the seconds until the last of so many pods, booting at once, is ready."""
        return self.alone + self.each * max(0, together - 1)


def estimate(memory: BootMemory) -> BootTime:
    """Return the line of least squares; neither falling nor below zero."""
    alone, each = FIRST_GUESS
    fade = GUESS_WEIGHT * FADE ** min(memory.weight, 100) if memory.weight else GUESS_WEIGHT
    weight, x, xx, y, xy = memory.weight, memory.beside, memory.beside_squared, memory.seconds, memory.product
    for beside in (0, 10):
        guess = alone + each * beside
        weight, x, xx, y, xy = (
            weight + fade,
            x + fade * beside,
            xx + fade * beside**2,
            y + fade * guess,
            xy + fade * beside * guess,
        )
    slope = max(0.0, (weight * xy - x * y) / (weight * xx - x * x))
    return BootTime(max(0.1, (y - slope * x) / weight), slope)
