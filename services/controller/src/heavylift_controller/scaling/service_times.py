"""How long jobs take, learned from those that ended and from those that still run.

Ended jobs alone would mislead: while a hundred jobs of three seconds end, the few of ten minutes are still running and
are not among them. So the estimate is Kaplan and Meier's, for observations of which some only say "at least so long"
(J. Am. Stat. Assoc. 53, 1958): the chance to outlast each length is taken among all jobs that have got that far.
Lengths are counted in buckets a fourth of an octave wide, which keeps them within 9 % and a job type's memory small.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from math import exp, floor, log2

PER_OCTAVE = 4
SHORTEST = 0.01
"""Seconds; shorter jobs share the first bucket."""
REMEMBERED = 200
"""An ended job's weight falls by a factor of e with so many later ones. By count: a quiet night forgets nothing."""
LEAST_WEIGHT = 1e-3
"""What weighs less is forgotten."""


def bucket(seconds: float) -> int:
    """Return the bucket of a service time."""
    return max(0, floor(PER_OCTAVE * log2(max(seconds, SHORTEST) / SHORTEST)))


def middle(index: int) -> float:
    """Return the seconds a bucket stands for."""
    return SHORTEST * 2 ** ((index + 0.5) / PER_OCTAVE)


_MIDDLES = tuple(map(middle, range(200)))


@dataclass(frozen=True, slots=True)
class ServiceMemory:
    """What is remembered of one job type."""

    weights: Mapping[int, float] = field(default_factory=dict)
    counters: Mapping[int, int] = field(default_factory=dict)
    """The counters as last read."""


def learn(memory: ServiceMemory, counters: Mapping[int, int]) -> ServiceMemory:
    """Return the memory with the jobs that ended since. Counters that went back were reset: they begin anew."""
    if counters == memory.counters:
        return memory
    ended = {key: count - memory.counters.get(key, 0) for key, count in counters.items()}
    if any(count < 0 for count in ended.values()):
        ended = dict(counters)
    total = sum(ended.values())
    keep = exp(-total / REMEMBERED)
    share = REMEMBERED * (1 - keep) / total if total else 0.0
    weights = {key: weight * keep for key, weight in memory.weights.items()}
    for key, count in ended.items():
        weights[key] = weights.get(key, 0.0) + count * share
    return ServiceMemory({key: weight for key, weight in weights.items() if weight > LEAST_WEIGHT}, dict(counters))


@dataclass(frozen=True, slots=True)
class ServiceTime:
    """A distribution of service times, as a staircase: `survival[i]` outlast `edges[i]`.

    Beyond the last edge no job has ended yet. What gets there is taken to end at random, after `tail` seconds on
    average: as long again as the longest that was seen to run.
    """

    edges: tuple[float, ...]
    survival: tuple[float, ...]
    areas: tuple[float, ...]
    """The staircase's area up to each edge: the mean of the lengths cut off there."""
    tail: float

    @property
    def mean(self) -> float:
        """The expected seconds."""
        return self.areas[-1] + self.survival[-1] * self.tail

    def within(self, horizon: float) -> float:
        """Return the expected seconds a job takes of its first `horizon` seconds."""
        at = bisect_right(self.edges, horizon) - 1
        ahead = horizon - self.edges[at]
        if at == len(self.edges) - 1:
            ahead = self.tail * (1 - exp(-ahead / self.tail))
        return self.areas[at] + self.survival[at] * ahead

    def remaining(self, age: float) -> float:
        """Return the expected seconds that a job which has run for `age` seconds goes on."""
        at = bisect_right(self.edges, age) - 1
        left = self.survival[at]
        if at == len(self.edges) - 1 or left <= 0.0:
            return max(age, self.tail)
        return (self.mean - self.areas[at]) / left - (age - self.edges[at])


@dataclass(frozen=True, slots=True)
class Mixture:
    """Service times of jobs of several types, each with its share."""

    parts: tuple[tuple[float, ServiceTime], ...]

    @property
    def mean(self) -> float:
        """The expected seconds."""
        return self._mixed(part.mean for _, part in self.parts)

    def within(self, horizon: float) -> float:
        """Return the expected seconds a job takes of its first `horizon` seconds."""
        return self._mixed(part.within(horizon) for _, part in self.parts)

    def _mixed(self, seconds: Iterable[float]) -> float:
        total = sum(share for share, _ in self.parts)
        return sum(share * each for (share, _), each in zip(self.parts, seconds, strict=True)) / total


def estimate(
    weights: Mapping[int, float], ages: Iterable[float], *, expected: float, per_second: float = 0.0
) -> ServiceTime:
    """Return the distribution given ended jobs' weights, running jobs' ages and a guess for the first of them.

    A running job weighs as if it had ended when it began, `per_second` jobs ago a second: where the memory is shorter
    than the job, what ended tells the truth alone, and all the long jobs of the past running now would not.
    """
    ended = dict(weights)
    if sum(ended.values()) < 1:
        ended[bucket(expected)] = ended.get(bucket(expected), 0.0) + 1
    running = sorted(ages)
    weigh = [exp(-age * per_second / REMEMBERED) for age in reversed(running)]
    reaching = (0.0, *accumulate(weigh))
    edges, survival, areas, last = [0.0], [1.0], [0.0], 1.0
    at_risk = sum(ended.values())
    for key in sorted(ended):
        edge = _MIDDLES[key]
        areas.append(areas[-1] + survival[-1] * (edge - edges[-1]))
        last *= 1 - ended[key] / (at_risk + reaching[len(running) - bisect_right(running, edge)])
        at_risk -= ended[key]
        edges.append(edge)
        survival.append(round(last, 9) if last > 0.0 else 0.0)
    tail = max(edges[-1], expected, running[-1] if running else 0.0)
    return ServiceTime(tuple(edges), tuple(survival), tuple(areas), tail)
