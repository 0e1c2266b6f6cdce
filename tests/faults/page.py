"""docs/faults.md: what the newest run of each scenario showed."""

from __future__ import annotations

from collections.abc import Sequence

from tests.faults.processes import REPOSITORY
from tests.faults.report import Report, hits, load, table
from tests.faults.scenarios import SCENARIOS, Scenario

RESULTS = REPOSITORY / ".data" / "faults"
"""One file a scenario and side, so that scenarios can be run one at a time."""

PAGE = REPOSITORY / "docs" / "faults.md"

HEAD = """\
# What was broken, and what it cost

Written by `make faults`. Each scenario starts a real Redis with AOF (`appendfsync everysec`), three workers with two
slots each, a controller, and two producers that write down every job they were told is accepted. Then something is
broken, again and again, while 10,000 jobs are submitted and run; most take milliseconds, some seconds. Afterwards an
auditor reads the store, and a journal that the jobs' code writes to a file outside Redis, and judges. One scenario:
`make faults ONLY=sigkill-workers`. Stock Celery is put through the same with the settings its documentation recommends;
`-` stands for what it does not count.

- **ended**: accepted jobs that reached a final state. *Unknown* are accepted jobs of which the store knows nothing.
- **finished twice**: more than one end in the store. For Celery: ran to its end, and stored a result, more than once.
- **do not add up**: jobs whose counts of attempts and losses do not agree with their events, or whose index with their
  state, or whose output is of a run that the journal does not show to have ended.
- **ran twice**: the code ran to its end more than once; at least once is what is promised. **overlapped**: at the same
  time, which an attempt that lost its lease may do until it notices.
- **worst to running again**: from the fault that took a job's attempt to the start of the next one. An outage of Redis
  in between is not counted.
- Besides: no attempt may be taken from a worker that no fault had hit, and no worker may end by itself.
"""


def write() -> None:
    """Write the page from the saved reports."""
    reports = load(RESULTS)
    parts = [HEAD, *(section(scenario, [r for r in reports if r.scenario == scenario.name]) for scenario in SCENARIOS)]
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text("\n".join(part for part in parts if part))


def section(scenario: Scenario, reports: Sequence[Report]) -> str:
    """Return the page's part about a scenario; nothing if it was not run."""
    if not reports:
        return ""
    ours_first = sorted(reports, key=lambda report: report.title != "Heavylift")
    done = "; ".join(f"{each.title}: {hits(each.faults)}" for each in ours_first)
    remark = f"\n\n{scenario.remark}" if scenario.remark else ""
    return f"## {scenario.name}\n\n{scenario.what}.{remark}\n\n{table(ours_first)}\n\nBroken: {done}.\n"
