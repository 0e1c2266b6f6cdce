"""What a worker costs that has nothing to do."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from bench.contenders import CELERY, CELERY_DEFAULT, HEAVYLIFT, OTHERS, Contender, all_of
from bench.notes import Notes
from bench.options import Options
from bench.processes import Program, wait_until
from bench.redis_server import RedisServer
from bench.results import Bars, Result
from bench.spread import Spread

CONTENDERS = (HEAVYLIFT, CELERY_DEFAULT, CELERY, *OTHERS)
SETTLE_SECONDS = 5.0
WINDOW_SECONDS = 6.0
MIB = 1024**2

HOW = f"""\
Workers with two slots, each system on a Redis of its own, all of them idle beside each other: one job run,
{SETTLE_SECONDS:g} s of rest, then windows of {WINDOW_SECONDS:g} s. Commands are those Redis counted, without the
bench's own. Memory is that of all the worker's processes, with what they share counted once (PSS)."""


@dataclass
class Idle:
    """One contender at rest."""

    contender: Contender
    server: RedisServer
    workers: Sequence[Program]
    commands: list[float] = field(default_factory=list)
    """A second."""
    cpu: list[float] = field(default_factory=list)
    """Share of a core."""
    memory: list[float] = field(default_factory=list)
    """MiB."""

    def counters(self) -> tuple[float, int, float]:
        """Return the moment, Redis's commands and the workers' processor time, as they are now."""
        return time.monotonic(), self.server.commands(), sum(worker.cpu_seconds() for worker in self.workers)

    def note(self, before: tuple[float, int, float]) -> None:
        """Add a window that began at `before`."""
        moment, commands, cpu = self.counters()
        seconds = moment - before[0]
        self.commands.append((commands - before[1] - 1) / seconds)  # one INFO was ours
        self.cpu.append((cpu - before[2]) / seconds)
        self.memory.append(sum(worker.private_memory() for worker in self.workers) / MIB)


def measure(options: Options) -> Result:
    """Return the row."""
    with ExitStack() as stack:
        resting = [_start(contender, options, stack) for contender in all_of(CONTENDERS)]
        time.sleep(SETTLE_SECONDS)
        for _ in range(options.rounds):
            before = [each.counters() for each in resting]
            time.sleep(WINDOW_SECONDS)
            for each, counters in zip(resting, before, strict=True):
                each.note(counters)
    return Result(
        row="idle",
        title="An idle worker",
        how=HOW,
        columns=["", "Redis commands / s", "CPU, % of a core", "memory, MiB"],
        lines=[
            [
                each.contender.name,
                Spread.of(each.commands).text(1),
                Spread.of([100 * share for share in each.cpu]).text(2),
                Spread.of(each.memory).text(0),
            ]
            for each in resting
        ],
        charts=[
            Bars(
                "idle",
                "Redis commands per second of an idle worker",
                "commands / s",
                {each.contender.name: Spread.of(each.commands) for each in resting},
            )
        ],
        rounds={f"{each.contender.name}: commands": each.commands for each in resting}
        | {f"{each.contender.name}: cpu": each.cpu for each in resting},
    )


def _start(contender: Contender, options: Options, stack: ExitStack) -> Idle:
    folder = options.folder / f"idle-{contender.module}-{len(contender.worker)}"
    server = stack.enter_context(RedisServer(folder))
    notes = Notes(folder / "notes")
    contender.call(server, notes.path, "fill", "1")
    workers = [stack.enter_context(worker) for worker in contender.start(server, notes.path)]
    wait_until(lambda: notes.count() >= 1, what=f"{contender.name}: its first job", seconds=30, programs=workers)
    return Idle(contender, server, workers)
