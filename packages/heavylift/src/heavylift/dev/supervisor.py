"""Starts processes, keeps them running, and ends them in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import TextIO

from heavylift.dev.guard import Guard
from heavylift.dev.process import ProcessSpec, SupervisedProcess


class Supervisor:
    """Keeps processes running.

    Parameters
    ----------
    guard
        Ends the processes should the supervisor be killed.
    logs
        The folder for what the processes write, one file each.
    announce
        Told in a sentence what the supervisor does.
    echo
        Given every line a process writes, with the process's name.

    """

    def __init__(
        self,
        guard: Guard,
        logs: Path,
        *,
        announce: Callable[[str], None],
        echo: Callable[[str, str], None] | None = None,
    ) -> None:
        self.processes: dict[str, SupervisedProcess] = {}
        self._guard = guard
        self._logs = logs
        self._announce = announce
        self._echo = echo
        self._hurry = asyncio.Event()
        self._files: dict[str, TextIO] = {}

    async def start(self, spec: ProcessSpec) -> None:
        """Start a process and keep it running."""
        # Line-buffered and written from the event loop: a few local lines a second, not worth a thread.
        log = self._files[spec.name] = self.log_file(spec.name).open("w", buffering=1)
        on_line = self._line_writer(spec.name, log)
        process = SupervisedProcess(spec, guard=self._guard, announce=self._announce, on_line=on_line)
        await process.start()
        self.processes[spec.name] = process

    async def end(self, name: str) -> None:
        """End a process for good; the others go on."""
        await self.processes[name].stop(hurry=self._hurry)
        del self.processes[name]
        self._files.pop(name).close()

    def log_file(self, name: str) -> Path:
        """Return where a process's output is kept."""
        return self._logs / f"{name}.log"

    def hurry(self) -> None:
        """End the graces of a stop under way."""
        self._hurry.set()

    async def stop(self) -> None:
        """End every process, in the order their specs ask for; those of equal rank at the same time."""
        ranked = sorted(self.processes.values(), key=_rank)
        for _, group in groupby(ranked, key=_rank):
            await asyncio.gather(*(process.stop(hurry=self._hurry) for process in group))
        for log in self._files.values():
            log.close()

    def _line_writer(self, name: str, log: TextIO) -> Callable[[str], None]:
        def write(line: str) -> None:
            log.write(line + "\n")
            if self._echo is not None:
                self._echo(name, line)

        return write


def _rank(process: SupervisedProcess) -> int:
    return process.spec.stop_last
