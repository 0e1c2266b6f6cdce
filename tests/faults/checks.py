"""What must be true in some scenarios beyond what the auditor asks of all."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from tests.faults.audit import Record, read_records
from tests.faults.proxy import Step, broken
from tests.processes import members

if TYPE_CHECKING:
    from tests.faults.chaos import Chaos
    from tests.faults.report import Report
    from tests.faults.stack import Stack

SETTLED = 0.2
"""Seconds after which a producer has heard an answer given before Redis was full."""


def records_of(stack: Stack) -> list[Record]:
    with stack.redis.client() as client:
        return list(read_records(client).values())


def nothing_starts_early(stack: Stack, chaos: Chaos, report: Report) -> None:
    """Scheduled jobs are queued when they are due by Redis's clock, never before."""
    late = []
    for record in records_of(stack):
        if "run_at" in record.fields:
            queued = [event["at"] for event in record.events if event["event"] == "queued"]
            late += [at - int(record.fields["run_at"]) for at in queued]
    if not late or min(late) < 0:
        report.problems.append(f"{sum(each < 0 for each in late)} of {len(late)} scheduled jobs were queued too early")
    if late and not stack.clock:
        report.notes.append(f"scheduled jobs were queued up to {max(late) / 1000:.2f} s late")


def full_redis_lets_jobs_end(stack: Stack, chaos: Chaos, report: Report) -> None:
    """While Redis is full, jobs end and none is accepted."""
    accepted = [each.at for each in stack.accepted()]
    for (since, before), (until, after) in zip(chaos.full[::2], chaos.full[1::2], strict=True):
        taken = sum(since + SETTLED <= at <= until for at in accepted)
        if after <= before:
            report.problems.append("no job ended while Redis was full")
        if taken:
            report.problems.append(f"{taken} jobs were accepted while Redis was full")
    ended = sum(after - before for (_, before), (_, after) in zip(chaos.full[::2], chaos.full[1::2], strict=True))
    report.notes.append(f"{ended} jobs ended while Redis was full")


def files_are_whole(stack: Stack, chaos: Chaos, report: Report) -> None:
    """Every published file is whole, and no other file is left."""
    published = bad = refused = 0
    for record in records_of(stack):
        refused += sum(event["event"] == "retrying" for event in record.events)
        for artifact in json.loads(record.fields.get("artifacts", "[]")):
            published += 1
            content = (stack.artifacts / artifact["key"]).read_bytes()
            bad += (len(content), hashlib.sha256(content).hexdigest()) != (artifact["size"], artifact["sha256"])
    files = sum(path.is_file() for path in stack.artifacts.rglob("*"))
    report.notes.append(f"{refused} attempts met a full disk")
    if bad:
        report.problems.append(f"{bad} published files are not what the record says")
    if files != published:
        report.problems.append(f"{files} files for {published} published ones")
    if not refused:
        report.problems.append("no attempt met a full disk: the scenario did not happen")


def only_poison_fails(stack: Stack, chaos: Chaos, report: Report) -> None:
    """Poison fails for good after three losses; every other job succeeds, though it may be hit as often."""
    for record in records_of(stack):
        expected = ("failed", "3") if record.fields["type"] == "faults.poison" else ("succeeded", None)
        if (record.status, record.fields.get("losses") if expected[1] else None) != expected:
            report.problems.append(f"{record.uuid} ({record.fields['type']}) {record.status}: {record.events}")


def every_step_was_broken(stack: Stack, chaos: Chaos, report: Report) -> None:
    """Each command was broken at each step, which is what the scenario is about."""
    missed = [broken(name, step) for name in stack.commands() for step in Step if not chaos.done[broken(name, step)]]
    if missed:
        report.problems.append(f"never broken: {missed}")


def count_released(stack: Stack, chaos: Chaos, report: Report) -> None:
    """Say how many jobs outlasted the grace and were handed back."""
    released = sum(event["event"] == "released" for record in records_of(stack) for event in record.events)
    report.notes.append(f"{released} attempts were handed back, and count as none")


def count_orphans(stack: Stack, chaos: Chaos, report: Report) -> None:
    """Say how many processes of jobs outlived their worker's parent process."""
    orphans = sum(len(members(each.pid)) for each in stack.ended)
    report.notes.append(f"{orphans} processes that jobs had started were left behind by dead workers")
