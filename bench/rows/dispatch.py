"""How long a job waits for a worker that is free: idle, and at half of what two slots can do."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from bench.contenders import CELERY, HEAVYLIFT, PEERS, SLOTS, Contender
from bench.notes import Delivery, Notes
from bench.options import Options
from bench.processes import wait_until
from bench.redis_server import RedisServer
from bench.results import Bars, Goal, Result
from bench.rows.drain import rotated
from bench.spread import Spread, percentile, ratios

LOOP = str(PEERS / "blmove_loop.py")
LOOP_CHILD = Contender("BLMOVE loop, child over a pipe", "blmove_loop", (LOOP, "child"), jobs=0, workers=SLOTS)
LOOP_BARE = Contender("BLMOVE loop, in one process", "blmove_loop", (LOOP, "bare"), jobs=0, workers=SLOTS)
CONTENDERS = (HEAVYLIFT, CELERY, LOOP_CHILD, LOOP_BARE)


class Traffic(NamedTuple):
    """Jobs as they come in."""

    name: str
    count: int
    spacing: float
    """Seconds between two jobs, on average."""
    seconds: float
    """What a job takes."""


IDLE = Traffic("idle", count=100, spacing=0.03, seconds=0.0)
HALF = Traffic("half load", count=150, spacing=0.02, seconds=0.02)
"""Two slots could do 100 such jobs a second; 50 come, at random moments."""

HOW = f"""\
A worker with {SLOTS} slots, each a child process, and a program that submits. Measured from the moment a job is due to
be submitted to the first line of its code in the child, so that a slow submit counts. *Idle*: {IDLE.count} no-op jobs,
{IDLE.spacing * 1000:.0f} ms apart. *Half load*: {HALF.count} jobs of {HALF.seconds * 1000:.0f} ms, which come at random
moments (Poisson), {1 / HALF.spacing:.0f} a second, whatever has become of the last one."""


WARM_UP = 20
"""Jobs before: both children have run some."""


class Waits(NamedTuple):
    """One round of one contender, in ms."""

    p50: float
    p95: float


def measure(options: Options) -> Result:
    """Return the row."""
    found: dict[tuple[str, str], list[Waits]] = defaultdict(list)
    for number in range(options.rounds):
        for contender in rotated(CONTENDERS, number):
            for traffic in (IDLE, HALF):
                folder = options.folder / f"dispatch-{number}-{contender.module}-{contender.worker[-1]}-{traffic.name}"
                found[contender.name, traffic.name].append(_round(contender, traffic, folder))
    return _result(found)


def _round(contender: Contender, traffic: Traffic, folder: Path) -> Waits:
    with RedisServer(folder) as server:
        notes = Notes(folder / "notes")
        workers = contender.start(server, notes.path)

        def jobs_have_begun(count: int) -> None:
            what = f"{contender.name}: {count} jobs"
            wait_until(lambda: notes.count() >= count, what=what, seconds=20, programs=workers)

        try:
            contender.call(server, notes.path, "fill", str(WARM_UP))
            jobs_have_begun(WARM_UP)
            asked = (traffic.count, traffic.spacing, traffic.seconds, WARM_UP)
            printed = contender.call(server, notes.path, "trickle", *map(str, asked))
            jobs_have_begun(WARM_UP + traffic.count)
        finally:
            for worker in workers:
                worker.stop()
    Delivery.of(notes, WARM_UP + traffic.count, stored=WARM_UP + traffic.count).require_exact(contender.name)
    return _waits(printed, notes)


def _waits(printed: str, notes: Notes) -> Waits:
    begun = notes.moments()
    due = {int(number): float(moment) for number, moment in map(str.split, printed.splitlines())}
    waits = [1000 * (begun[number] - moment) for number, moment in due.items()]
    return Waits(percentile(waits, 0.5), percentile(waits, 0.95))


def _result(found: dict[tuple[str, str], list[Waits]]) -> Result:
    p50 = {key: [each.p50 for each in waits] for key, waits in found.items()}
    p95 = {key: [each.p95 for each in waits] for key, waits in found.items()}
    lines = [
        [contender.name]
        + [
            Spread.of(figures[contender.name, traffic.name]).text(1)
            for traffic in (IDLE, HALF)
            for figures in (p50, p95)
        ]
        for contender in CONTENDERS
    ]
    ours, stock = p50[HEAVYLIFT.name, IDLE.name], p50[CELERY.name, IDLE.name]
    bars = {
        f"{contender.name}, {traffic.name}": Spread.of(p50[contender.name, traffic.name])
        for traffic in (IDLE, HALF)
        for contender in CONTENDERS
    }
    return Result(
        row="dispatch",
        title="From submit to the job's first line",
        how=HOW,
        columns=["", "idle p50, ms", "idle p95", "half load p50", "half load p95"],
        lines=lines,
        goals=[
            Goal.at_most("idle p50 / stock Celery", 1, ratios(ours, stock)),
            Goal.at_most("idle p50 / BLMOVE loop with a child", 4, ratios(ours, p50[LOOP_CHILD.name, IDLE.name])),
            Goal.at_most("idle p50 / BLMOVE loop in one process", 4, ratios(ours, p50[LOOP_BARE.name, IDLE.name])),
        ],
        charts=[Bars("dispatch", "From submit to the job's first line, p50", "ms", bars)],
        rounds={f"{name}, {traffic}, p50": values for (name, traffic), values in p50.items()}
        | {f"{name}, {traffic}, p95": values for (name, traffic), values in p95.items()},
    )
