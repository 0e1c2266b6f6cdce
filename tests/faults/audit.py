"""The auditor: reads the store, the journal and the producers' files after all is over, and judges.

It shares no code with what it judges: it knows the names of keys and fields, and what must be true of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import redis

from tests.faults import journal
from tests.faults.journal import Run
from tests.faults.load import Accepted
from tests.faults.report import Report
from tests.faults.work import QUEUE

if TYPE_CHECKING:
    from tests.faults.chaos import Chaos
    from tests.faults.stack import Stack

BASE = f"hl:{{{QUEUE}}}:"
LISTS = (QUEUE, *(f"{QUEUE}\x06\x16{step}" for step in (3, 6, 9)))
TERMINAL = frozenset({"succeeded", "failed", "cancelled", "expired"})
STATES = (*TERMINAL, "scheduled", "queued", "running")
LOSS_REASONS = ("lease not renewed", "its process", "out of memory")
"""How the reason begins where an attempt was lost, in the event that ends the job too."""

BATCH = 1000


class Loss(NamedTuple):
    """A lost attempt: when it began, was given up, and when the next one began. Times are the store's, in seconds."""

    worker: str
    began: float
    lost: float
    again: float | None
    counted: bool
    """Whether the job's record counts it: not so where the process died before it began."""


@dataclass
class Record:
    """A job as the store shows it."""

    uuid: str
    fields: Mapping[str, str]
    events: Sequence[Mapping[str, Any]]
    indexes: list[str] = field(default_factory=list)
    """The states' indexes that name it."""

    @property
    def status(self) -> str:
        return self.fields["status"]

    def ends(self) -> int:
        return sum(event["event"] in TERMINAL for event in self.events)

    def lost(self) -> Iterator[Loss]:
        """Yield the lost attempts."""
        began = 0.0
        losses: list[Mapping[str, Any]] = []
        for event in self.events:
            at = event["at"] / 1000
            if event["event"] == "running":
                yield from (_loss(loss, began, at) for loss in losses)
                began, losses = at, []
            elif event["event"] == "lost" or str(event.get("reason", "")).startswith(LOSS_REASONS):
                losses.append(event)
        yield from (_loss(loss, began, None) for loss in losses)

    def faults(self) -> list[str]:
        """Return what does not add up."""
        found = []
        if self.indexes != [self.status]:
            found.append(f"status {self.status}, but in the indexes {self.indexes}")
        names = [event["event"] for event in self.events]
        runs = names.count("running")
        if int(self.fields.get("attempts", 0)) != runs - names.count("released"):
            found.append(f"{self.fields.get('attempts')} attempts, events {names}")
        if int(self.fields.get("losses", 0)) != sum(loss.counted for loss in self.lost()):
            found.append(f"{self.fields.get('losses', 0)} losses, events {names}")
        steps = [name for name in names if name not in {"log", "cancel_requested"}]
        closing = {"retrying", "lost", "released", *TERMINAL}
        if any(before == "running" and after not in closing for before, after in pairwise(steps)):
            found.append(f"an attempt began before the last one was closed: {names}")
        return found


def _loss(event: Mapping[str, Any], began: float, again: float | None) -> Loss:
    return Loss(event["worker"], began, event["at"] / 1000, again, counted=event["event"] != "released")


def audit(stack: Stack, chaos: Chaos, report: Report) -> None:
    """Judge what the stack left behind."""
    with stack.redis.client() as client:
        records = read_records(client)
        report.left = left_in_flight(client)
    accepted = stack.accepted()
    runs = journal.read(stack.journal)
    judge_records(records, accepted, runs, report)
    judge_missing(records, accepted, chaos, report)
    judge_losses(records.values(), chaos, report)
    judge_runs(runs, chaos, report)
    report.faults = chaos.counts()
    report.judge()


def read_records(client: redis.Redis) -> dict[str, Record]:
    """Return every record of the queue by its job's id."""
    found: dict[str, Record] = {}
    uuids = [key.decode().removeprefix(f"{BASE}job:") for key in client.scan_iter(f"{BASE}job:*", count=BATCH)]
    for start in range(0, len(uuids), BATCH):
        part = uuids[start : start + BATCH]
        pipeline: Any = client.pipeline(transaction=False)
        for uuid in part:
            pipeline.hgetall(f"{BASE}job:{uuid}")
            pipeline.lrange(f"{BASE}events:{uuid}", 0, -1)
        replies = pipeline.execute()
        for uuid, fields, events in zip(part, replies[::2], replies[1::2], strict=True):
            facts = {name.decode(): value.decode() for name, value in fields.items()}
            found[f"{QUEUE}-{uuid}"] = Record(uuid, facts, [json.loads(event) for event in events])
    for state in STATES:
        members: Any = client.zrange(f"{BASE}{state}", 0, -1)
        for member in members:
            if record := found.get(f"{QUEUE}-{member.decode()}"):
                record.indexes.append(state)
    return found


def left_in_flight(client: redis.Redis) -> int:
    """Return how many entries of work under way there are; when all is over there must be none."""
    pipeline: Any = client.pipeline(transaction=False)
    for name in ("leases", "beats"):
        pipeline.hlen(f"{BASE}{name}")
    for name in ("due", "scheduled", "queued", "running"):
        pipeline.zcard(f"{BASE}{name}")
    for name in (*LISTS, f"{BASE}unreadable"):
        pipeline.llen(name)
    return sum(pipeline.execute())


def judge_records(
    records: Mapping[str, Record], accepted: Sequence[Accepted], runs: Mapping[str, Sequence[Run]], report: Report
) -> None:
    """Count what the records say, and whether it adds up with the journal."""
    report.accepted = len(accepted)
    for job in {each.job for each in accepted} & set(records):
        record = records[job]
        faults = record.faults()
        if record.status == "succeeded":
            token = json.loads(record.fields["output"])["token"]
            if not any(run.token == token and run.ended for run in runs.get(job, ())):
                faults.append(f"its output is of a run that never ended: {token}")
        report.ended += record.status in TERMINAL
        report.failed += record.status == "failed"
        report.finished_twice += record.ends() > 1
        report.miscounted = (report.miscounted or 0) + bool(faults)
        if faults and len(report.notes) < 10:
            report.notes.append(f"{job}: {'; '.join(faults)}")


def judge_missing(records: Mapping[str, Record], accepted: Sequence[Accepted], chaos: Chaos, report: Report) -> None:
    """Count accepted jobs that the store does not know."""
    for each in accepted:
        if each.job not in records:
            report.missing += 1
            report.excused += chaos.was_cut(each.at)


def judge_losses(records: Iterable[Record], chaos: Chaos, report: Report) -> None:
    """Explain every lost attempt by a fault, and measure how long its job did not run."""
    for record in records:
        for loss in record.lost():
            report.losses = (report.losses or 0) + 1
            hit = chaos.explain(loss.worker, loss.began - chaos.wall_offset, loss.lost - chaos.wall_offset)
            if hit is None:
                report.unexplained += 1
                report.notes.append(f"{record.uuid}: lost by {loss.worker}, which no fault had hit: {record.events}")
            elif loss.again is not None:
                measure(report, loss.again - chaos.wall_offset - hit)


def judge_runs(runs: Mapping[str, Sequence[Run]], chaos: Chaos, report: Report) -> None:
    """Count repeated and overlapping work, and measure from a process's end to the start of its job's next run."""
    newest: dict[int, list[tuple[Run, Run | None]]] = {}
    for of_job in runs.values():
        report.repeated += sum(run.ended for run in of_job) > 1
        report.overlapped += journal.overlap(of_job)
        for run, later in zip(of_job, [*of_job[1:], None], strict=True):
            newest.setdefault(run.pid, []).append((run, later))
    for hit in chaos.hits:
        for pid in hit.pids:
            before = [pair for pair in newest.get(pid, ()) if pair[0].started <= hit.at]
            if not before:
                continue
            run, later = max(before, key=lambda pair: pair[0].started)
            if later is not None and later.started > hit.at:
                measure(report, later.started - chaos.since(hit.at, later.started))


def measure(report: Report, seconds: float) -> None:
    report.worst = max(report.worst or 0.0, seconds)
