"""What a scenario showed, and the page that is made of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass
class Report:
    """One scenario on one side. Counts are of jobs unless said otherwise."""

    scenario: str
    title: str
    jobs: int = 0
    """To be submitted."""
    accepted: int = 0
    ended: int = 0
    failed: int = 0
    """Of the ended ones: gave up, as poison does."""
    missing: int = 0
    """Accepted, but not in the store."""
    excused: int = 0
    """Of the missing: accepted in the second that was cut off the AOF."""
    finished_twice: int = 0
    """More than one end in the store (Celery: ran to its end, and stored its result, more than once)."""
    miscounted: int | None = 0
    """Attempts, losses, events or indexes do not add up."""
    repeated: int = 0
    """The code ran to its end more than once."""
    overlapped: int = 0
    """Two attempts' code ran at the same time."""
    left: int = 0
    """Leases, messages and index entries left when all was over."""
    losses: int | None = 0
    """Attempts that were lost. None, here and above: nobody counts them."""
    unexplained: int = 0
    """Attempts taken from a worker that no fault had hit."""
    worst: float | None = None
    """Seconds from a fault to running again."""
    limit: float = 20.0
    seconds: float = 0.0
    faults: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """Promises that were broken."""

    def judge(self) -> None:
        """Fill in the broken promises that numbers show."""
        found = {
            "accepted jobs that are not in the store": self.missing - self.excused,
            "accepted jobs that did not end": self.accepted - self.ended - self.missing,
            "jobs that ended twice in the store": self.finished_twice,
            "jobs whose attempts or losses do not add up": self.miscounted,
            "entries left in flight": self.left,
            "attempts taken from workers that no fault had hit": self.unexplained,
        }
        self.problems += [f"{count} {what}" for what, count in found.items() if count]
        if self.worst is not None and self.worst > self.limit:
            self.problems.append(f"running again only after {self.worst:.1f} s (limit {self.limit:g} s)")

    def save(self, folder: Path) -> None:
        """Write it to a file of the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{self.scenario}-{self.title.split()[0].lower()}.json"
        (folder / name).write_text(json.dumps(asdict(self), indent=1))


def load(folder: Path) -> list[Report]:
    """Return the saved reports."""
    return [Report(**json.loads(file.read_text())) for file in sorted(folder.glob("*.json"))]


COLUMNS = (
    "", "jobs", "accepted", "ended", "finished twice", "do not add up", "ran twice", "overlapped", "attempts lost",
    "left in flight", "worst to running again", "verdict",
)  # fmt: skip


def row(report: Report) -> str:
    """Return the report as a line of a Markdown table."""
    missing = f" ({report.missing} unknown)" if report.missing else ""
    worst = None if report.worst is None else f"{report.worst:.1f} s"
    cells = (
        report.title, report.jobs, report.accepted, f"{report.ended}{missing}", report.finished_twice,
        report.miscounted, report.repeated, report.overlapped, report.losses, report.left, worst,
        "holds" if not report.problems else "; ".join(report.problems),
    )  # fmt: skip
    return "| " + " | ".join("-" if cell is None else str(cell) for cell in cells) + " |"


def table(reports: Sequence[Report]) -> str:
    """Return a Markdown table of one scenario's reports."""
    head = "| " + " | ".join(COLUMNS) + " |"
    return "\n".join([head, "|" + "---|" * len(COLUMNS), *(row(each) for each in reports)])


def hits(faults: dict[str, int]) -> str:
    """Return what was done, in words."""
    return ", ".join(f"{what} {count}" for what, count in Counter(faults).most_common()) or "none"
