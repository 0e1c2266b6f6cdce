"""Redis's memory for a job that waits, and for one that has ended."""

from __future__ import annotations

import time
from pathlib import Path

from bench.contenders import CELERY, HEAVYLIFT, Contender
from bench.notes import Notes
from bench.options import Options
from bench.processes import wait_until
from bench.redis_server import RedisServer
from bench.results import Bars, Goal, Result
from bench.spread import Spread

JOBS = 5000
PADDING = 1000
"""Bytes of the input beside its number: 1 KB in all."""

CONTENDERS = (HEAVYLIFT, CELERY)

HOW = f"""\
{JOBS:,} jobs with an input of 1 KB, submitted, then run by a worker with results of a few bytes. Redis's
`used_memory_dataset` before, with all of them waiting, and with all of them ended, a job. Heavylift's figures hold the
job's record with its input and output, its events, and its places in the indexes; they go with the job's retention.
Celery's hold the message, then the result; the input is gone then."""


def measure(options: Options) -> Result:
    """Return the row. The figures hardly vary: at most two rounds."""
    rounds = min(options.rounds, 2)
    waiting: dict[str, list[float]] = {}
    ended: dict[str, list[float]] = {}
    for contender in CONTENDERS:
        pairs = [_round(contender, options.folder / f"memory-{number}-{contender.module}") for number in range(rounds)]
        waiting[contender.name] = [pair[0] for pair in pairs]
        ended[contender.name] = [pair[1] for pair in pairs]
    return Result(
        row="memory",
        title="Redis's memory a job",
        how=HOW,
        columns=["", "bytes a waiting job", "bytes an ended job"],
        lines=[[name, Spread.of(waiting[name]).text(), Spread.of(ended[name]).text()] for name in waiting],
        goals=[
            Goal.at_most("a waiting job, 1 KB of input", 2500, Spread.of(waiting[HEAVYLIFT.name]), unit="B", digits=0)
        ],
        charts=[
            Bars(
                "memory",
                "Redis's memory a job with 1 KB of input",
                "bytes",
                {
                    f"{name}, {state}": Spread.of(found[name])
                    for name in waiting
                    for state, found in (("waiting", waiting), ("ended", ended))
                },
            )
        ],
        rounds={f"{name}, waiting": found for name, found in waiting.items()}
        | {f"{name}, ended": found for name, found in ended.items()},
    )


def _round(contender: Contender, folder: Path) -> tuple[float, float]:
    with RedisServer(folder) as server:
        notes = Notes(folder / "notes")
        before = server.memory()
        contender.call(server, notes.path, "fill", str(JOBS), str(PADDING))
        waiting = server.memory()
        workers = contender.start(server, notes.path)
        try:
            wait_until(
                lambda: int(contender.call(server, notes.path, "stored")) >= JOBS,
                what=f"{contender.name}: the last result",
                seconds=90,
                programs=workers,
                step=0.5,
            )
        finally:
            for worker in workers:
                worker.stop()
        time.sleep(0.2)  # the workers' connections have gone
        return (waiting - before) / JOBS, (server.memory() - before) / JOBS
