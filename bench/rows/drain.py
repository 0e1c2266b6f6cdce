"""No-op jobs through one worker with two slots: jobs per CPU-second, and by the clock."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, TypeVar

from bench.contenders import CELERY, CELERY_SOLO, HEAVYLIFT, OTHERS, SLOTS, Contender, all_of
from bench.notes import Delivery, Notes
from bench.options import Options
from bench.processes import BenchError, Program, wait_until
from bench.redis_server import RedisServer
from bench.results import Bars, Goal, Result
from bench.spread import Spread, ratios

CONTENDERS = (HEAVYLIFT, CELERY, CELERY_SOLO, *OTHERS)
RAMP = 0.1
"""Share of the jobs that run before the measurement begins: the start of the worker is a row of its own."""

HOW = f"""\
A queue is filled, then a worker with {SLOTS} slots empties it. The job notes its number in a file and returns it; its
result is stored. Measured from the first tenth of the jobs to the last one: the wall clock, the processor time of all
the worker's processes, and that of Redis. Heavylift's round fails unless
every job ran once and every result is there; what other systems did otherwise stands in the table."""

RESULT_SECONDS = 5
"""How long the last results may take."""


TRIES = 3


class SeenTooLateError(Exception):
    """Most jobs had run before the measurement began."""


class Drained(NamedTuple):
    """One round of one contender; times are seconds a job."""

    wall: float
    cpu: float
    redis_cpu: float
    delivery: Delivery


def measure(options: Options) -> Result:
    """Return the row."""
    rounds: dict[str, list[Drained]] = defaultdict(list)
    contenders = all_of(CONTENDERS)
    for number in range(options.rounds):
        for contender in rotated(contenders, number):
            folder = options.folder / f"drain-{number}-{contender.module}-{len(contender.worker)}"
            rounds[contender.name].append(_drain_in_time(contender, folder))
    return _result({contender: rounds[contender.name] for contender in contenders})


T = TypeVar("T")


def rotated(contenders: Sequence[T], by: int) -> Sequence[T]:
    """Return the contenders in another order for every round, so that none always comes after the same one."""
    by %= len(contenders)
    return [*contenders[by:], *contenders[:by]]


def _drain_in_time(contender: Contender, folder: Path) -> Drained:
    """Drain, again if the queue was empty before this process, which needs a core too, could look at the ramp's end."""
    for attempt in range(TRIES):
        with suppress(SeenTooLateError):
            return _drain(contender, folder / str(attempt))
    raise BenchError(f"{contender.name} emptied the queue unseen {TRIES} times: the machine is too busy")


def _drain(contender: Contender, folder: Path) -> Drained:
    with RedisServer(folder) as server:
        notes = Notes(folder / "notes")
        contender.call(server, notes.path, "fill", str(contender.jobs))
        workers = contender.start(server, notes.path)
        try:
            drained = _watch(contender, server, notes, workers)
            stored = _stored(contender, server, notes)
        finally:
            for worker in workers:
                worker.stop()
    delivery = Delivery.of(notes, contender.jobs, stored=stored)
    if contender is HEAVYLIFT:
        delivery.require_exact(contender.name)
    return Drained(*drained, delivery)


def _stored(contender: Contender, server: RedisServer, notes: Notes) -> int:
    """Return how many results there are: all, or those that came within RESULT_SECONDS of the last job."""
    deadline = time.monotonic() + RESULT_SECONDS
    while True:
        stored = int(contender.call(server, notes.path, "stored"))
        if stored >= contender.jobs or time.monotonic() > deadline:
            return stored


def _watch(
    contender: Contender, server: RedisServer, notes: Notes, workers: Sequence[Program]
) -> tuple[float, float, float]:
    def reaches(count: int) -> tuple[int, float, float, float]:
        what = f"{contender.name}: job {count} of {contender.jobs}"
        wait_until(lambda: notes.count() >= count, what=what, seconds=90, programs=workers)
        cpu = sum(worker.cpu_seconds() for worker in workers)
        return notes.count(), time.monotonic(), cpu, server.program.cpu_seconds()

    first, began, cpu_before, redis_before = reaches(max(1, int(contender.jobs * RAMP)))
    last, ended, cpu, redis_after = reaches(contender.jobs)
    jobs = last - first
    if jobs < contender.jobs / 2:
        raise SeenTooLateError
    return (ended - began) / jobs, (cpu - cpu_before) / jobs, (redis_after - redis_before) / jobs


def _result(rounds: dict[Contender, list[Drained]]) -> Result:
    per_cpu = {c: [1 / each.cpu for each in found] for c, found in rounds.items()}
    per_cpu_all = {c: [1 / (each.cpu + each.redis_cpu) for each in found] for c, found in rounds.items()}
    per_second = {c: [1 / each.wall for each in found] for c, found in rounds.items()}
    lines = [
        [
            c.name,
            _delivery(c, found),
            Spread.of(per_cpu[c]).text(),
            Spread.of(per_cpu_all[c]).text(),
            Spread.of(per_second[c]).text(),
            f"{1e6 * Spread.of([each.redis_cpu for each in found]).median:,.0f}",
            ratios(per_cpu[HEAVYLIFT], per_cpu[c]).text(2),
            ratios(per_second[HEAVYLIFT], per_second[c]).text(2),
        ]
        for c, found in rounds.items()
    ]
    return Result(
        row="drain",
        title="No-op jobs, result stored",
        how=HOW,
        columns=[
            "",
            "delivery",
            "jobs / CPU s of the worker",
            "… and of Redis",
            "jobs / s",
            "Redis, µs a job",
            "Heavylift / this, a CPU s",
            "Heavylift / this, by the clock",
        ],
        lines=lines,
        goals=[
            Goal.at_least("jobs per CPU-second / stock Celery prefork", 3, ratios(per_cpu[HEAVYLIFT], per_cpu[CELERY])),
            Goal.at_least(
                "jobs per second with 2 slots / stock Celery prefork",
                1.5,
                ratios(per_second[HEAVYLIFT], per_second[CELERY]),
            ),
        ],
        charts=[
            Bars("drain-cpu", "No-op jobs per CPU-second of the worker", "jobs / CPU s", _bars(per_cpu)),
            Bars("drain-wall", "No-op jobs per second, 2 slots", "jobs / s", _bars(per_second)),
        ],
        rounds={
            f"{c.name}: {what}": [getattr(each, what) for each in found]
            for c, found in rounds.items()
            for what in ("wall", "cpu", "redis_cpu")
        },
    )


def _bars(figures: dict[Contender, list[float]]) -> dict[str, Spread]:
    return {contender.name: Spread.of(values) for contender, values in figures.items()}


def _delivery(contender: Contender, found: Sequence[Drained]) -> str:
    faults = [
        f"{sum(counts)} {what}"
        for what, counts in (
            ("not run", [each.delivery.not_run for each in found]),
            ("run again", [each.delivery.repeated for each in found]),
            ("results missing", [each.delivery.not_stored for each in found]),
        )
        if any(counts)
    ]
    jobs = sum(each.delivery.jobs for each in found)
    return f"{contender.promise}: " + (", ".join(faults) + f" of {jobs:,}" if faults else f"all {jobs:,}")
