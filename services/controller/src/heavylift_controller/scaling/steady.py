"""How many slots the work that keeps coming needs on average, and how many more where a boot would come too late.

Little's law: jobs that arrive at a rate and take so long occupy rate times length slots. Where a new worker is ready
within the budget, that is all: chance is met when it comes. Where it is not, there must be slots enough beforehand that
few jobs wait too long: the square-root safety of Halfin and Whitt (Oper. Res. 29, 1981) for a queue with many servers.
"""

from __future__ import annotations

from math import ceil, erf, exp, pi, sqrt

LATE = 0.01
"""The share of jobs that may wait longer than the budget."""


def slots_for(load: float, *, budget: float, seconds: float) -> int:
    """Return the slots that let all but `LATE` of jobs of so many seconds begin within the budget."""
    slots = ceil(load + 1e-9)
    while late(slots, load, budget=budget, seconds=seconds) > LATE:
        slots += 1
    return slots


def late(slots: int, load: float, *, budget: float, seconds: float) -> float:
    """Return the share of jobs that wait longer than the budget: the chance to wait at all, times that it lasts."""
    if load <= 0:
        return 0.0
    beta = (slots - load) / sqrt(load)
    density, below = exp(-beta * beta / 2) / sqrt(2 * pi), (1 + erf(beta / sqrt(2))) / 2
    waits = 1 / (1 + beta * below / density) if density > 0 else 0.0
    return waits * exp(-(slots - load) * budget / seconds)
