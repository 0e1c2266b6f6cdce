"""The standard set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from math import pi, sin
from random import Random

from bench.simulator.workload import NodeLoss, Outage, Workload

HOUR = 3600.0


def standard(seed: int = 1) -> list[Workload]:
    """Return the workloads, the same for the same seed."""
    return [replace(make(Random(f"{name}-{seed}")), about=make.__doc__ or "") for name, make in MAKERS.items()]


def arrivals(random: Random, rate: Callable[[float], float], peak: float, *, seconds: float) -> Iterator[float]:
    """Yield the times of a Poisson process of a changing rate, by thinning."""
    at = random.expovariate(peak)
    while at < seconds:
        if random.random() * peak < rate(at):
            yield at
        at += random.expovariate(peak)


def about(random: Random, seconds: float) -> float:
    """Return a service time: log-normal, with a standard deviation of about half the mean."""
    return seconds * random.lognormvariate(-0.11, 0.47)


def _jobs(random: Random, times: Iterator[float], seconds: float) -> list[tuple[float, float, str]]:
    return [(at, about(random, seconds), "default") for at in times]


def step(random: Random) -> Workload:
    """400 jobs of 12 s at once, every 15 minutes."""
    jobs = [
        (60 + 900.0 * burst + random.random(), about(random, 12), "default") for burst in range(4) for _ in range(400)
    ]
    return Workload("step", sorted(jobs), traits=frozenset({"bursty"}))


def poisson(random: Random) -> Workload:
    """1.5 jobs of 8 s a second, at random."""
    jobs = _jobs(random, arrivals(random, lambda _: 1.5, 1.5, seconds=HOUR), 8)
    return Workload("poisson", jobs, traits=frozenset({"steady"}))


def diurnal(random: Random) -> Workload:
    """A day in an hour: between 0.1 and 3 jobs of 8 s a second."""
    jobs = _jobs(
        random, arrivals(random, lambda at: 1.55 - 1.45 * sin(2 * pi * at / HOUR + pi / 2), 3, seconds=HOUR), 8
    )
    return Workload("diurnal", jobs)


def bimodal(random: Random) -> Workload:
    """One job a second of 3 s, and one in thirty of ten minutes, in the same queue."""
    times = arrivals(random, lambda _: 1.0, 1.0, seconds=HOUR)
    jobs = [(at, about(random, 600 if random.random() < 1 / 30 else 3), "default") for at in times]
    return Workload("bimodal", jobs, most=60)


def flash(random: Random) -> Workload:
    """After half an hour of nothing, 600 jobs of 6 s within 20 s; and once more."""
    jobs = [(begin + 20 * random.random(), about(random, 6), "default") for begin in (1800, 3600) for _ in range(600)]
    return Workload("flash", sorted(jobs), traits=frozenset({"bursty"}))


def spikes(random: Random) -> Workload:
    """Requests to a language model as published traces show them: three seconds of four without any, then up to 60."""
    jobs = []
    for second in range(int(HOUR)):
        if random.random() < 1 / 4:
            count = min(60, int(3 * random.paretovariate(1.1)))
            jobs += [(second + random.random(), about(random, 2.5), "default") for _ in range(count)]
    return Workload("spikes", sorted(jobs), traits=frozenset({"bursty"}))


def poison(random: Random) -> Workload:
    """Two jobs of 4 s a second, and four that take 40 minutes."""
    jobs = _jobs(random, arrivals(random, lambda _: 2.0, 2.0, seconds=HOUR), 4)
    jobs += [(900 + 60.0 * each, 2400.0, "default") for each in range(4)]
    return Workload("poison", sorted(jobs))


def outage(random: Random) -> Workload:
    """Steady jobs of 8 s; Redis is away for one minute and for five."""
    jobs = _jobs(random, arrivals(random, lambda _: 1.5, 1.5, seconds=HOUR), 8)
    return Workload("redis outage", jobs, outages=(Outage(900, 960), Outage(2000, 2300)))


def node_loss(random: Random) -> Workload:
    """Steady jobs of 30 s; a node dies twice."""
    jobs = _jobs(random, arrivals(random, lambda _: 1.0, 1.0, seconds=HOUR), 30)
    return Workload("node loss", jobs, node_losses=(NodeLoss(1200), NodeLoss(2400)))


MAKERS: dict[str, Callable[[Random], Workload]] = {
    "step": step,
    "poisson": poisson,
    "diurnal": diurnal,
    "bimodal": bimodal,
    "flash": flash,
    "spikes": spikes,
    "poison": poison,
    "redis outage": outage,
    "node loss": node_loss,
}
