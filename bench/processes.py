"""Processes under measurement: started, watched through /proc, ended by their ids."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
_SESSION, _CPU = 3, slice(11, 15)
"""Places in /proc/<pid>/stat behind the name: session, then utime, stime and both of the children waited for."""


class BenchError(Exception):
    """A measurement that says nothing: its process died, or nothing happened in time."""


class LeftOut(Exception):  # noqa: N818 - no error: the row needs what this machine does not have
    """Why a row is not measured here."""


class Program:
    """A process that leads a session of its own, so that all it started is counted and ended with it."""

    def __init__(
        self, command: Sequence[str], *, env: Mapping[str, str], log: Path, cores: frozenset[int] | None = None
    ) -> None:
        self._log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **env},
                start_new_session=True,
            )
        self.pid = self.process.pid
        if cores:
            os.sched_setaffinity(self.pid, cores)

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def check(self) -> None:
        """Raise BenchError with the last lines of its output if the process has ended."""
        if self.process.poll() is not None:
            raise BenchError(f"it ended with {self.process.returncode}:\n{tail(self._log)}")

    def cpu_seconds(self) -> float:
        """Return the processor time of all its processes, those that have ended included."""
        return sum(sum(map(int, stat[_CPU])) for _, stat in self._members()) / TICKS

    def private_memory(self) -> int:
        """Return the memory of all its processes in bytes; what they share is counted once (PSS)."""
        total = 0
        for pid, _ in self._members():
            with suppress(OSError):
                for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                    if line.startswith("Pss:"):
                        total += int(line.split()[1]) * 1024
        return total

    def stop(self, *, grace: float = 5) -> None:
        """End it: SIGTERM for its leader, then SIGKILL for all that is left of the session."""
        if self.process.poll() is None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(grace)
        for pid, _ in self._members():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(10)

    def _members(self) -> Iterator[tuple[int, list[str]]]:
        for path in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                stat = path.read_text().rpartition(")")[2].split()
                if int(stat[_SESSION]) == self.pid:
                    yield int(path.parent.name), stat


def tail(log: Path, lines: int = 15) -> str:
    """Return the last lines of a file."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""


def wait_until(
    predicate: Callable[[], bool], *, what: str, seconds: float, programs: Sequence[Program] = (), step: float = 0.01
) -> None:
    """Wait until the predicate holds. Raises BenchError when it takes too long, or a program ends meanwhile."""
    deadline = time.monotonic() + seconds
    while not predicate():
        for program in programs:
            program.check()
        if time.monotonic() > deadline:
            outputs = "\n".join(tail(program._log) for program in programs)
            raise BenchError(f"{what} did not happen within {seconds:g} s\n{outputs}")
        time.sleep(step)


def run(command: Sequence[str], *, env: Mapping[str, str], seconds: float) -> str:
    """Run a command to its end and return what it printed. Raises BenchError."""
    try:
        done = subprocess.run(
            command, env={**os.environ, **env}, timeout=seconds, text=True, capture_output=True, check=True
        )
    except subprocess.CalledProcessError as error:
        raise BenchError(f"{' '.join(command)}:\n{error.stderr[-2000:]}") from error
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"{' '.join(command)} took longer than {seconds:g} s") from error
    return done.stdout
