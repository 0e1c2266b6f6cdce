"""docs/faults.md: what the newest run of each scenario showed."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence

import celery

from tests.faults.processes import REPOSITORY
from tests.faults.report import Report, hits, load, table
from tests.faults.scenarios import SCENARIOS, Scenario
from tests.faults.stack import Stack
from tests.faults.stock_stack import StockStack

RESULTS = REPOSITORY / ".data" / "faults"
"""One file a scenario and side, so that scenarios can be run one at a time."""

PAGE = REPOSITORY / "docs" / "faults.md"

HEAD = f"""\
# What was broken, and what it cost

Written by `make faults`. Each scenario starts a real Redis with AOF (`appendfsync everysec`), three workers with two
slots each, a controller, and two producers that write down every job they were told is accepted. Then something is
broken, again and again, while 10,000 jobs are submitted and run; most take milliseconds, some seconds. Afterwards an
auditor reads the store, and a journal that the jobs' code writes to a file outside Redis, and judges. One scenario:
`make faults ONLY=sigkill-workers`. A short form with hundreds of jobs is part of `make test`.

Stock Celery is put through the same with the settings its documentation recommends for work that must not be lost
([stock.py](../tests/faults/stock.py)); its visibility timeout is as short as each scenario's longest job allows. `-`
stands for what it does not count.

- **ended**: accepted jobs that reached a final state. *Unknown* are accepted jobs of which the store knows nothing.
- **finished twice**: more than one end in the store. For Celery: ran to its end, and stored a result, more than once.
- **do not add up**: jobs whose counts of attempts and losses do not agree with their events, or whose index with their
  state, or whose output is of a run that the journal does not show to have ended.
- **ran twice**: the code ran to its end more than once; at least once is what is promised. **overlapped**: at the same
  time, which an attempt that lost its lease may do until it notices.
- **worst to running again**: from the fault that took a job's attempt to the start of the next one. An outage of Redis
  in between is not counted.
- Besides: no attempt may be taken from a worker that no fault had hit, and no worker may end by itself.

Run on {os.cpu_count()} cores shared with other work, {platform.system()}, Python {platform.python_version()}, Celery
{celery.__version__}. Each section shows the newest run of its scenario; they may be of different days and commits.
"""


IN_SHORT = """\
*Not ended*: still waiting or in flight 90 seconds after the last fault, or without a result, though they had run.
"""


def write() -> None:
    """Write the page from the saved reports."""
    reports = load(RESULTS)
    sections = [
        section(scenario, [each for each in reports if each.scenario == scenario.name]) for scenario in SCENARIOS
    ]
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text("\n".join(part for part in (HEAD, summary(reports), *sections) if part))


def summary(reports: Sequence[Report]) -> str:
    """Return one line a scenario: what was lost and what ended twice, on both sides."""
    columns = ("jobs lost", "not ended", "ended twice", "running again after")
    head = "| | " + " | ".join([*columns, *(f"Celery: {column}" for column in columns)]) + " |"
    lines = ["## In short\n", IN_SHORT, head, "|---" * (1 + 2 * len(columns)) + "|"]
    for scenario in SCENARIOS:
        ours, stock = (
            [each for each in reports if each.scenario == scenario.name and each.title == title]
            for title in (Stack.title, StockStack.title)
        )
        if ours:
            lines.append(f"| [{scenario.name}](#{scenario.name}) | {figures(ours)} | {figures(stock)} |")
    return "\n".join(lines) + "\n"


def figures(reports: Sequence[Report]) -> str:
    """Return what matters most of a report as cells."""
    if not reports:
        return "- | - | - | -"
    report = reports[0]
    worst = "-" if report.worst is None else f"{report.worst:.1f} s"
    lost = report.missing - report.excused
    return f"{lost} | {report.accepted - report.ended - report.missing} | {report.finished_twice} | {worst}"


def section(scenario: Scenario, reports: Sequence[Report]) -> str:
    """Return the page's part about a scenario; nothing if it was not run."""
    if not reports:
        return ""
    ours_first = sorted(reports, key=lambda report: report.title != Stack.title)
    done = "; ".join(f"{each.title}: {hits(each.faults)}" for each in ours_first)
    notes = [note for each in ours_first if not each.problems for note in each.notes]
    seen = "".join(f" {note[0].upper()}{note[1:]}." for note in notes)
    remark = f"\n\n{scenario.remark}" if scenario.remark else ""
    what = f"{scenario.what[0].upper()}{scenario.what[1:]}."
    return f"## {scenario.name}\n\n{what}{remark}\n\n{table(ours_first)}\n\nBroken: {done}.{seen}\n"
