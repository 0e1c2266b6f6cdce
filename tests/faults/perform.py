"""One scenario on one side, from the first process to the verdict."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path

from tests.faults.chaos import Chaos
from tests.faults.load import Kind, Load
from tests.faults.report import Report
from tests.faults.scenarios import HOLD, Pace, Scenario
from tests.faults.stack import Stack

SHARES_AT = 200
"""Jobs a second the scenarios' shares are meant for."""


@dataclasses.dataclass(frozen=True)
class Form:
    """Short or long."""

    jobs: int
    pace: Pace
    lease: float
    await_end: float
    """The longest the jobs may take to end after the last fault."""
    margin: float = 5.0
    """Seconds between a lease's end and running again: a look of the controller, a claim, a worker's start."""

    def scaled(self, kinds: Sequence[Kind]) -> tuple[Kind, ...]:
        """Return the kinds with rare ones more or less rare, so that as many run at a time as at SHARES_AT."""
        factor = SHARES_AT * self.pace.submit / self.jobs
        return tuple(
            dataclasses.replace(kind, share=min(0.5, kind.share * factor)) if kind.share < 0.5 else kind
            for kind in kinds
        )


LONG = Form(jobs=10_000, pace=Pace(submit=50, outage=20, pause=30), lease=15, await_end=90)


def perform(scenario: Scenario, form: Form, folder: Path, kind: type[Stack] = Stack) -> Report:
    """Start a stack, break it, wait for the end of all jobs, and judge."""
    began = time.monotonic()
    longest = max(kind.seconds[1] for kind in scenario.kinds)
    if scenario.holds_slots_for:
        longest = HOLD + scenario.holds_slots_for(form.pace)
    size = dataclasses.replace(scenario.size, lease=form.lease, longest=longest)
    limit = form.lease + form.margin + (form.pace.outage if scenario.outage_delays else 0.0)
    report = Report(scenario.name, kind.title, jobs=form.jobs, limit=limit)
    made = kind(folder, size)
    with scenario.around(made), made as stack:
        chaos = Chaos(stack)
        stack.submit(Load(form.jobs, form.pace.submit, form.scaled(scenario.kinds)))
        scenario.run(stack, chaos, form.pace)
        stack.await_end(form.await_end, chaos.revive)
        end(stack, report)
        judge(scenario, stack, chaos, report)
    report.seconds = time.monotonic() - began
    return report


def end(stack: Stack, report: Report) -> None:
    """End workers and controllers: asked to, they must do so well, with no work left in flight."""
    codes = stack.end_workers()
    if bad := [code for code in codes if code != 0]:
        report.problems.append(f"exit codes of workers and controllers told to end: {bad}")


def judge(scenario: Scenario, stack: Stack, chaos: Chaos, report: Report) -> None:
    """Add up and compare with what was promised."""
    stack.audit(chaos, report)
    if scenario.check and stack.side == "ours":
        scenario.check(stack, chaos, report)
    if chaos.died:
        report.problems.append(f"{len(chaos.died)} workers ended by themselves")
        report.notes += chaos.died
    if chaos.lingered:
        report.problems.append(f"{len(chaos.lingered)} workers did not end well when told to")
        report.notes += chaos.lingered
    harm = {"lost": report.losses, "repeated": report.repeated, "overlapped": report.overlapped}
    if scenario.harmless and any(harm.values()):
        found = ", ".join(f"{count} {what}" for what, count in harm.items() if count)
        report.problems.append(f"no attempt was to be lost, repeated or overlapped here: {found}")
    if not scenario.harmless and report.losses == 0:
        report.problems.append("no fault hit an attempt: the scenario did not happen")
