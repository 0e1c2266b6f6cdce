"""What the jobs noted (bench/peers/notes.py): which ran, and when."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from bench.processes import BenchError


class Notes:
    """The file all jobs of one measurement write to, a line each."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        self._seen = 0
        self._count = 0

    def count(self) -> int:
        """Return how many jobs have begun."""
        with self.path.open("rb") as file:
            file.seek(self._seen)
            new = file.read()
        self._seen += len(new)
        self._count += new.count(b"\n")
        return self._count

    def moments(self) -> dict[int, float]:
        """Return when each job began first, by CLOCK_MONOTONIC."""
        found: dict[int, float] = {}
        for line in self.path.read_text().splitlines():
            number, moment = line.split()
            found.setdefault(int(number), float(moment))
        return found


@dataclass(frozen=True)
class Delivery:
    """What became of the jobs of one measurement, where each should have run and stored its result once."""

    jobs: int
    not_run: int
    repeated: int
    not_stored: int

    @classmethod
    def of(cls, notes: Notes, jobs: int, *, stored: int) -> Delivery:
        """Count."""
        ran = Counter(int(line.split()[0]) for line in notes.path.read_text().splitlines())
        return cls(jobs, jobs - len(ran), ran.total() - len(ran), jobs - stored)

    @property
    def exact(self) -> bool:
        """Whether every job ran once and stored its result."""
        return not (self.not_run or self.repeated or self.not_stored)

    def require_exact(self, who: str) -> None:
        """Raise BenchError unless it was exact."""
        if not self.exact:
            raise BenchError(
                f"{who}: of {self.jobs} jobs {self.not_run} did not run, {self.repeated} ran again, "
                f"{self.not_stored} results are missing"
            )
