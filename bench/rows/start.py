"""From the start of a worker to its first job."""

from __future__ import annotations

import time
from collections import defaultdict
from pathlib import Path

from bench.contenders import CELERY, CELERY_DEFAULT, HEAVYLIFT, OTHERS, Contender, all_of
from bench.notes import Notes
from bench.options import Options
from bench.processes import wait_until
from bench.redis_server import RedisServer
from bench.results import Bars, Goal, Result
from bench.rows.drain import rotated
from bench.spread import Spread

CONTENDERS = (HEAVYLIFT, CELERY_DEFAULT, CELERY, *OTHERS)

HOW = """\
One job waits. Measured from the spawn of the worker's process to the job's own clock, interpreter and imports included;
files are in the page cache. *Celery prefork* runs without gossip, mingle and heartbeat, *default flags* with them."""


def measure(options: Options) -> Result:
    """Return the row."""
    found: dict[str, list[float]] = defaultdict(list)
    contenders = all_of(CONTENDERS)
    for contender in contenders:  # read into the page cache, byte code written
        _start(contender, options.folder / f"start-warm-{contender.module}-{len(contender.worker)}")
    for number in range(options.rounds):
        for contender in rotated(contenders, number):
            folder = options.folder / f"start-{number}-{contender.module}-{len(contender.worker)}"
            found[contender.name].append(_start(contender, folder))
    spreads = {contender.name: Spread.of(found[contender.name]) for contender in contenders}
    return Result(
        row="start",
        title="Worker start to first job",
        how=HOW,
        columns=["", "seconds"],
        lines=[[name, spread.text(2)] for name, spread in spreads.items()],
        goals=[Goal.at_most("start to first job", 0.6, spreads[HEAVYLIFT.name], unit="s")],
        charts=[Bars("start", "Worker start to first job", "seconds", spreads)],
        rounds=dict(found),
    )


def _start(contender: Contender, folder: Path) -> float:
    with RedisServer(folder) as server:
        notes = Notes(folder / "notes")
        contender.call(server, notes.path, "fill", "1")
        began = time.monotonic()
        workers = contender.start(server, notes.path)
        try:
            wait_until(
                lambda: notes.count() >= 1, what=f"{contender.name}: its first job", seconds=30, programs=workers
            )
        finally:
            for worker in workers:
                worker.stop()
        return notes.moments()[0] - began
