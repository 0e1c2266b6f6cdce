"""What attempts did, in their own words: one file, one line a word, appended in one write each.

A job's code writes `start` and `end`, and `alive` twice a second between them. The file is outside Redis and outlives
every process, so that it shows what the store cannot: work done twice, and two attempts at once. Times are those of
CLOCK_MONOTONIC, which all processes of a machine share.
"""

from __future__ import annotations

import os
import secrets
import time
from collections import defaultdict
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

JOURNAL = "FAULTS_JOURNAL"
"""Environment variable with the file's path."""

ALIVE_INTERVAL = 0.5
BEGUN = 0.1
"""Seconds after its start from which a run counts as in the middle of its work."""


@cache
def _file(path: str, pid: int) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC)


def _write(word: str, token: str, job: str) -> None:
    line = f"{word} {token} {job} {os.getppid()} {os.getpid()} {time.monotonic():.6f}\n"
    os.write(_file(os.environ[JOURNAL], os.getpid()), line.encode())


class Notes:
    """What one attempt writes."""

    def __init__(self, job: str) -> None:
        self.job = job
        self.token = secrets.token_hex(6)
        self._alive_at = time.monotonic()

    def alive(self) -> None:
        """Say so, if it was not said lately."""
        if time.monotonic() - self._alive_at >= ALIVE_INTERVAL:
            self._alive_at = time.monotonic()
            _write("alive", self.token, self.job)

    def sleep(self, seconds: float) -> None:
        """Sleep, saying that this attempt is alive."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 0.1))
            self.alive()


@contextmanager
def attempt(job: str) -> Generator[Notes]:
    """Note the start of an attempt, and its end unless it failed."""
    notes = Notes(job)
    _write("start", notes.token, job)
    yield notes
    _write("end", notes.token, job)


@dataclass(slots=True)
class Run:
    """One attempt as the journal shows it. `parent` is the worker's process id."""

    token: str
    job: str
    parent: int
    pid: int
    started: float
    last: float
    """When it was last heard of."""
    ended: bool = False

    def under_way(self) -> bool:
        """Tell whether it began a while ago, has not ended, and was heard of lately."""
        now = time.monotonic()
        return not self.ended and now - self.started > BEGUN and now - self.last < 2 * ALIVE_INTERVAL


def read(path: Path) -> dict[str, list[Run]]:
    """Return the runs of each job in the order they started."""
    runs: dict[str, Run] = {}
    for line in path.read_text().splitlines():
        word, token, job, parent, pid, at = line.split(" ")
        run = runs.setdefault(token, Run(token, job, int(parent), int(pid), float(at), float(at)))
        run.last = float(at)
        run.ended = run.ended or word == "end"
    by_job: dict[str, list[Run]] = defaultdict(list)
    for run in sorted(runs.values(), key=lambda each: each.started):
        by_job[run.job].append(run)
    return dict(by_job)


def overlap(runs: Iterable[Run]) -> bool:
    """Tell whether two runs of one job were under way at the same time."""
    latest = float("-inf")
    for run in runs:
        if run.started < latest:
            return True
        latest = max(latest, run.last)
    return False
