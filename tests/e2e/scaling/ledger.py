"""What jobs did, written down by themselves in a Redis that nothing breaks, and what the store says of them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import redis

NEVER = ("lost", "retrying", "failed", "cancelled", "expired")
"""Events that no job of these tests may have: each means that an attempt did not end by itself, and well.

A claim may be handed back (`released`) before its job has begun, where Redis restarts or a rollout ends the worker. Had
its job begun, it would begin twice by its own account.
"""

BATCH = 500


@dataclass
class Verdict:
    """What became of the jobs. The lists must stay empty."""

    accepted: int = 0
    succeeded: int = 0
    not_succeeded: list[str] = field(default_factory=list)
    interrupted: list[str] = field(default_factory=list)
    """An attempt of theirs ended otherwise than by its own end, or there was more than one."""
    handed_back: int = 0
    """Claims given back before their jobs began."""
    duplicated: list[str] = field(default_factory=list)
    """The job's code ran more than once, by its own account."""

    @property
    def clean(self) -> bool:
        return self.succeeded == self.accepted and not (self.not_succeeded or self.interrupted or self.duplicated)


def known(database: redis.Redis, queues: Sequence[str]) -> frozenset[str]:
    """Return the jobs that the queues have records of."""
    return frozenset(job for queue in queues for job, _, _ in _records(database, queue))


def audit(
    database: redis.Redis,
    ledger: redis.Redis,
    queues: Sequence[str],
    accepted: Iterable[str],
    *,
    before: Collection[str] = (),
) -> Verdict:
    """Judge all records of the queues, those too that nobody was told are accepted; shares no code with the store.

    Jobs that were there `before` are others' and not judged.
    """
    began: Any = ledger.hgetall("began")
    ended: Any = ledger.hgetall("ended")
    verdict = Verdict()
    wanted = set(accepted)
    for queue in queues:
        for job, fields, events in _records(database, queue):
            if job in before:
                continue
            wanted.discard(job)
            verdict.accepted += 1
            if fields[b"status"] != b"succeeded":
                verdict.not_succeeded.append(f"{job}: {fields[b'status'].decode()}")
                continue
            verdict.succeeded += 1
            kept = events.count("running") - events.count("released")
            verdict.handed_back += events.count("released")
            if kept != 1 or set(events) & set(NEVER) or fields.get(b"attempts") != b"1":
                verdict.interrupted.append(f"{job}: {events}")
            runs = (began.get(job.encode()), ended.get(job.encode()))
            if runs != (b"1", b"1"):
                verdict.duplicated.append(f"{job}: began, ended {runs}")
    verdict.accepted += len(wanted)
    verdict.not_succeeded += [f"{job}: not in the store" for job in sorted(wanted)]
    return verdict


def unfinished(database: redis.Redis, queues: Sequence[str]) -> int:
    """Return how many jobs wait or run."""
    pipeline = database.pipeline(transaction=False)
    for queue in queues:
        for state in ("scheduled", "queued", "running"):
            pipeline.zcard(f"hl:{{{queue}}}:{state}")
    return sum(pipeline.execute())


def _records(database: redis.Redis, queue: str) -> Iterable[tuple[str, dict[bytes, bytes], list[str]]]:
    base = f"hl:{{{queue}}}:"
    uuids = [key.decode().removeprefix(f"{base}job:") for key in database.scan_iter(f"{base}job:*", count=BATCH)]
    for start in range(0, len(uuids), BATCH):
        part = uuids[start : start + BATCH]
        pipeline = database.pipeline(transaction=False)
        for uuid in part:
            pipeline.hgetall(f"{base}job:{uuid}")
            pipeline.lrange(f"{base}events:{uuid}", 0, -1)
        replies = pipeline.execute()
        for uuid, fields, events in zip(part, replies[::2], replies[1::2], strict=True):
            yield f"{queue}-{uuid}", fields, [json.loads(event)["event"] for event in events]
