"""What must hold between records, indexes, lists and leases of a queue, whatever happened before."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from heavylift.model import TERMINAL, JobStatus
from tests.integration.store.bench import QUEUE, Bench

_UUID = re.compile(rb'"id": ?"(?:[a-z.]+-)?([0-9a-f-]{36})"')


SUSPECT_LOSSES = 2
"""As in scripts/claim.lua."""


class Picture:
    """All of a queue's keys, read while nobody writes."""

    def __init__(self, bench: Bench) -> None:
        base, client = bench.keys.base(QUEUE), bench.redis
        uuids = [name[len(base) + 4 :].decode() for name in client.scan_iter(f"{base}job:*", count=1000)]
        with client.pipeline(transaction=False) as pipeline:
            for uuid in uuids:
                pipeline.hgetall(bench.keys.job(QUEUE, uuid))
                pipeline.lrange(bench.keys.events(QUEUE, uuid), 0, -1)
            for name in (*JobStatus, "due", "kept"):
                pipeline.zrange(f"{base}{name}", 0, -1, withscores=True)
            for name in bench.keys.lists(QUEUE):
                pipeline.lrange(name, 0, -1)
            pipeline.lrange(f"{base}suspects", 0, -1)
            pipeline.hgetall(f"{base}leases")
            pipeline.hgetall(f"{base}beats")
            pipeline.llen(f"{base}wake")
            replies = iter(pipeline.execute())
        self.records: dict[str, dict[bytes, bytes]] = {}
        self.events: dict[str, list[bytes]] = {}
        for uuid in uuids:
            self.records[uuid] = next(replies)
            self.events[uuid] = next(replies)
        self.indexes = {
            str(name): {member.decode(): score for member, score in next(replies)}
            for name in (*JobStatus, "due", "kept")
        }
        self.lists = [Counter(uuid_of(message) for message in next(replies)) for _ in bench.keys.lists(QUEUE)]
        self.suspects = Counter(uuid_of(message) for message in next(replies))
        self.leases = {uuid.decode(): token for uuid, token in next(replies).items()}
        self.beats = {uuid.decode() for uuid in next(replies)}
        self.tokens: int = next(replies)


def uuid_of(message: bytes) -> str:
    """Return the uuid of the job that a message is about."""
    match = _UUID.search(message)
    assert match, message
    return match[1].decode()


def contradictions(picture: Picture) -> Iterator[str]:
    """Yield what does not fit together."""
    for uuid, record in picture.records.items():
        for fault in _faults(picture, uuid, record):
            yield f"{uuid} ({record[b'status'].decode()}): {fault}"
    yield from (
        f"{uuid} was put aside after {picture.records[uuid].get(b'losses')} losses"
        for uuid in picture.suspects
        if uuid in picture.records and int(picture.records[uuid].get(b"losses", 0)) < SUSPECT_LOSSES
    )
    known = picture.records.keys()
    for name, members in (*picture.indexes.items(), ("leases", picture.leases), ("beats", picture.beats)):
        yield from (f"{uuid} is in {name}, without a record" for uuid in members if uuid not in known)
    if picture.tokens > 1:
        yield f"{picture.tokens} wake tokens"


def _faults(picture: Picture, uuid: str, record: dict[bytes, bytes]) -> Iterator[str]:
    status = JobStatus(record[b"status"].decode())
    places = [name for name in JobStatus if uuid in picture.indexes[name]]
    if places != [status]:
        yield f"is in the indexes {places}"
        return
    step, created = int(record[b"priority"]), int(record[b"created"])
    expected = step * 10**13 + created if status is JobStatus.QUEUED else created
    if picture.indexes[status][uuid] != expected:
        yield f"has score {picture.indexes[status][uuid]}, not {expected}"
    messages = [messages[uuid] for messages in picture.lists]
    messages[step // 3] += picture.suspects[uuid]  # put aside, still the one message
    facts = {
        "a lease": (uuid in picture.leases, status is JobStatus.RUNNING),
        "beats": (uuid in picture.beats, status is JobStatus.RUNNING),
        "a due time": (uuid in picture.indexes["due"], status is JobStatus.SCHEDULED),
        "an end of retention": (uuid in picture.indexes["kept"], status in TERMINAL),
        "a finishing time": (b"finished" in record, status in TERMINAL),
    }
    yield from (f"has {name}: {is_so}" for name, (is_so, should_be) in facts.items() if is_so != should_be)
    if status is JobStatus.RUNNING and picture.leases.get(uuid) != record[b"token"]:
        yield "has another token than its lease"
    if status is JobStatus.QUEUED and messages != [int(at == step // 3) for at in range(4)]:
        yield f"has messages {messages}, for step {step}"
    if status not in {JobStatus.QUEUED, JobStatus.CANCELLED, JobStatus.EXPIRED} and any(messages):
        yield f"has messages {messages}"  # those of ended jobs that waited are left, and skipped when claimed
    if (b"message" in record) is not (status in {JobStatus.SCHEDULED, JobStatus.RUNNING, JobStatus.FAILED}):
        yield f"keeps its message: {b'message' in record}"
    if not int(record.get(b"losses", 0)) <= int(record.get(b"attempts", 0)) <= int(record[b"max"]):
        yield f"has {record.get(b'losses')} losses in {record.get(b'attempts')} attempts of {record[b'max']}"
    if not picture.events[uuid]:
        yield "has no events"
