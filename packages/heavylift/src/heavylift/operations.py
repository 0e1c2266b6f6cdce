"""Everything that can be asked of the store, one function an operation, each a `Call` for Store.run or AsyncStore.run.

Functions that change something name their script; what it checks and writes stands in scripts/<name>.lua.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

import orjson
from pydantic import JsonValue

from heavylift.constants import MAX_LOG_EVENTS, MAX_SKIPPED_PER_CLAIM, Keys
from heavylift.envelope import message
from heavylift.errors import QueueFull
from heavylift.ids import JobId
from heavylift.model import (
    TERMINAL,
    Artifact,
    Attempt,
    Event,
    Job,
    JobError,
    JobStatus,
    JobTypeInfo,
    Priority,
    Progress,
    RetryPolicy,
)
from heavylift.scripts import script
from heavylift.store import Argument, Call, Reply

LIST_STATUSES = tuple(JobStatus)
_SUMMARY_FIELDS = 12
_EMPTY = b""


# --- submit ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Submission:
    """A validated job on its way into the store. `input` is JSON."""

    id: JobId
    info: JobTypeInfo
    input: bytes
    priority: Priority = Priority.NORMAL
    run_at: datetime | None = None
    expires_at: datetime | None = None
    artifacts: Sequence[Artifact] = ()


class Submitted(NamedTuple):
    """What became of a Submission: `created` is False when the job was there already."""

    id: JobId
    created: bool


def submit(keys: Keys, queue: str, submissions: Sequence[Submission], *, bound: int = 0) -> Call[list[Submitted]]:
    """Accept jobs of one queue, all or none. Raises QueueFull when more than `bound` would wait (0: no bound)."""
    args: list[Argument] = [bound]
    for item in submissions:
        args += _submission_args(item)

    def parse(reply: Reply) -> list[Submitted]:
        head, *flags = _list(reply)
        if head == 0:
            raise QueueFull(queue, bound)
        return [Submitted(item.id, flag == 1) for item, flag in zip(submissions, flags, strict=True)]

    return Call.of(script("submit"), keys.script_keys(queue), args, parse)


def _submission_args(item: Submission) -> list[Argument]:
    return [
        item.id.uuid,
        item.info.type,
        item.input,
        message(item.id, item.info.type, item.priority),
        int(item.priority),
        item.info.retry.max_attempts,
        _ms(item.run_at) if item.run_at else _EMPTY,
        _ms(item.expires_at) if item.expires_at else _EMPTY,
        int(item.info.retention.total_seconds() * 1000),
        orjson.dumps([artifact.model_dump() for artifact in item.artifacts]) if item.artifacts else _EMPTY,
    ]


# --- attempts --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Claim:
    """A leased job. Whoever holds `token` may write, nobody else."""

    id: JobId
    token: str
    message: bytes
    type: str
    input: bytes | None
    """JSON; None for an adopted message of a stock Celery producer, whose arguments are in `message`."""
    attempt: int
    alone: bool
    """The job was lost twice: nothing else may be claimed while it runs."""


@dataclass(frozen=True, slots=True)
class Claimant:
    """Who claims: a worker process of one boot."""

    worker: str
    boot: str


def claim(keys: Keys, queue: str, claimant: Claimant, *, number: int, slots: int, busy: int) -> Call[list[Claim]]:
    """Take up to `slots` jobs for a worker that holds `busy`; tokens are numbered from `number`."""
    policy = RetryPolicy()
    retention = JobTypeInfo.model_fields["retention"].default
    args: list[Argument] = [
        claimant.boot,
        number,
        claimant.worker,
        slots,
        busy,
        MAX_SKIPPED_PER_CLAIM,
        policy.max_attempts,
        int(retention.total_seconds() * 1000),
    ]

    def parse(reply: Reply) -> list[Claim]:
        return [_claim(queue, _list(row)) for row in _list(reply)]

    return Call.of(script("claim"), keys.script_keys(queue), args, parse)


def _claim(queue: str, row: list[Reply]) -> Claim:
    uuid, token, text, type_, input_, attempt, alone = row
    return Claim(
        id=JobId(queue, _text(uuid)),
        token=_text(token),
        message=_bytes(text),
        type=_text(type_),
        input=input_ if isinstance(input_, bytes) else None,
        attempt=_int(attempt),
        alone=alone == 1,
    )


class LeaseState(StrEnum):
    """What a renewal says about a lease."""

    RENEWED = "renewed"
    STOP = "stop"
    """Renewed; the job was asked to stop."""
    LOST = "lost"
    ENDED = "ended"
    """This token ended the attempt; its worker has not heard of it yet."""


def renew(keys: Keys, queue: str, leases: Sequence[tuple[str, str]]) -> Call[list[LeaseState]]:
    """Renew the leases of one queue, given as (uuid, token)."""
    states = list(LeaseState)
    args = [part for lease in leases for part in lease]
    return Call.of(
        script("renew"), keys.script_keys(queue), args, lambda reply: [states[_int(state)] for state in _list(reply)]
    )


class Outcome(StrEnum):
    """How an attempt ended; see scripts/finish.lua."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    RETRYING = "retrying"
    LOST = "lost"
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of an attempt, as the finishing script records it."""

    outcome: Outcome
    output: bytes | None = None
    """JSON."""
    error: JobError | None = None
    reason: str | None = None
    artifacts: Sequence[Artifact] = ()
    delay: timedelta = timedelta(0)
    """Until the next attempt, for RETRYING."""
    usage: Mapping[str, JsonValue] = field(default_factory=dict)
    """cpu_seconds, max_rss_bytes, exit_signal."""


class Finished(NamedTuple):
    """What a finish did: `first` when this call ended the attempt, `written` also when the same token had done so before.

    `status` is the job's state now.
    """

    first: bool
    written: bool
    status: str


def finish(
    keys: Keys,
    job_id: JobId,
    token: str,
    ending: Ending,
    *,
    attempt: int,
    worker: str,
    publish: tuple[str, bytes] | None = None,
) -> Call[Finished]:
    """End an attempt. `publish` is a channel and a message for whoever watches (Flower)."""
    facts: dict[str, JsonValue] = {"attempt": attempt, "worker": worker}
    if ending.reason:
        facts["reason"] = ending.reason
    if ending.usage:
        facts["data"] = dict(ending.usage)
    args: list[Argument] = [
        job_id.uuid,
        token,
        ending.outcome.value,
        ending.output or _EMPTY,
        orjson.dumps(ending.error.model_dump(exclude_none=True)) if ending.error else _EMPTY,
        orjson.dumps([artifact.model_dump() for artifact in ending.artifacts]) if ending.artifacts else _EMPTY,
        _event_text(facts),
        int(ending.delay.total_seconds() * 1000),
        *(publish or (_EMPTY, _EMPTY)),
    ]

    def parse(reply: Reply) -> Finished:
        state, status = _list(reply)
        return Finished(state == 1, state != 0, _text(status))

    return Call.of(script("finish"), keys.script_keys(job_id.queue), args, parse)


def report_progress(keys: Keys, job_id: JobId, token: str, progress: Progress) -> Call[bool]:
    """Record a running attempt's progress. False: the lease is another's."""
    args = [job_id.uuid, token, "progress", orjson.dumps(progress.model_dump(exclude_none=True)), 0]
    return Call.of(script("report"), keys.script_keys(job_id.queue), args, lambda reply: reply != 0)


def report_log(keys: Keys, job_id: JobId, token: str, text: str, fields: Mapping[str, JsonValue]) -> Call[bool]:
    """Add a line to the job's events. False: the lease is another's. Beyond MAX_LOG_EVENTS lines are dropped."""
    facts: dict[str, JsonValue] = {"message": text, **({"data": dict(fields)} if fields else {})}
    args = [job_id.uuid, token, "log", _event_text(facts), MAX_LOG_EVENTS]
    return Call.of(script("report"), keys.script_keys(job_id.queue), args, lambda reply: reply != 0)


# --- steering --------------------------------------------------------------------------------------------------------


def cancel(keys: Keys, job_id: JobId, *, reason: str | None = None) -> Call[JobStatus | None]:
    """Cancel a waiting job, ask a running one to stop. The state afterwards; None for an unknown job."""
    args = [job_id.uuid, _event_text({"reason": reason} if reason else {})]
    return Call.of(script("cancel"), keys.script_keys(job_id.queue), args, _status)


def replay(keys: Keys, job_id: JobId, *, reason: str | None = None) -> Call[JobStatus | None]:
    """Queue a failed job again with all its attempts. The state afterwards; None for an unknown job."""
    args = [job_id.uuid, _event_text({"reason": reason or "replayed"})]
    return Call.of(script("replay"), keys.script_keys(job_id.queue), args, _status)


class Lease(NamedTuple):
    """A lease as the reaper sees it."""

    uuid: str
    token: str
    beats: int


def read_leases(keys: Keys, queue: str) -> Call[list[Lease]]:
    """Return all leases of a queue."""

    def parse(replies: list[Reply]) -> list[Lease]:
        tokens, beats = _mapping(replies[0]), _mapping(replies[1])
        return [Lease(uuid, token.decode(), int(beats.get(uuid, 0))) for uuid, token in tokens.items()]

    base = keys.base(queue)
    return Call([("HGETALL", f"{base}leases"), ("HGETALL", f"{base}beats")], parse)


def reap(keys: Keys, queue: str, dead: Sequence[Lease]) -> Call[list[str]]:
    """Take back leases that were not renewed since they were read so. The jobs' new states, '' where one was renewed."""
    args: list[Argument] = [part for lease in dead for part in lease]
    return Call.of(
        script("reap"), keys.script_keys(queue), args, lambda reply: [_text(state) for state in _list(reply)]
    )


class Released(NamedTuple):
    """How many scheduled jobs were queued, and when the next is due (None: there is none)."""

    count: int
    next_in: timedelta | None


def release_due(keys: Keys, queue: str, *, limit: int = 500) -> Call[Released]:
    """Queue the scheduled jobs whose time has come."""

    def parse(reply: Reply) -> Released:
        count, wait = _list(reply)
        return Released(_int(count), timedelta(milliseconds=_int(wait)) if _int(wait) >= 0 else None)

    return Call.of(script("release_due"), keys.script_keys(queue), [limit], parse)


def read_kept_until(keys: Keys, queue: str, now: datetime, *, limit: int = 500) -> Call[list[str]]:
    """Return uuids of finished jobs whose retention ended before `now`."""
    command = ("ZRANGEBYSCORE", f"{keys.base(queue)}kept", "-inf", _ms(now), "LIMIT", 0, limit)
    return Call([command], lambda replies: [_text(uuid) for uuid in _list(replies[0])])


def forget(keys: Keys, queue: str, uuids: Sequence[str]) -> Call[int]:
    """Remove finished jobs whose retention is over; returns how many."""
    return Call.of(script("forget"), keys.script_keys(queue), uuids, _int)


# --- reading ---------------------------------------------------------------------------------------------------------


def read_job(keys: Keys, job_id: JobId) -> Call[Job | None]:
    """Return a job's whole record, or None."""
    commands = [
        ("HGETALL", keys.job(*job_id)),
        ("LRANGE", keys.events(*job_id), 0, -1),
        ("ZRANK", keys.index(job_id.queue, JobStatus.QUEUED), job_id.uuid),
    ]

    def parse(replies: list[Reply]) -> Job | None:
        fields = _mapping(replies[0])
        return _job(job_id, fields, _events(replies[1], after=0), replies[2]) if fields else None

    return Call(commands, parse)


def cursor_of(job: Job) -> str:
    """Return what `list_jobs` takes as `before` to go on after this job."""
    return f"{_ms(job.created_at)}-{job.id.partition('-')[2]}"


def list_jobs(
    keys: Keys, queue: str, *, status: JobStatus | None = None, before: str | None = None, limit: int = 50
) -> Call[list[Job]]:
    """Return a queue's jobs, newest first, without input, output and attempts. `before` is a `cursor_of`."""
    created, _, last = (before or "").partition("-")
    statuses = [status] if status else LIST_STATUSES
    args: list[Argument] = [created, last, limit, *(each.value for each in statuses)]

    def parse(reply: Reply) -> list[Job]:
        return [_summary(queue, *_list(row)) for row in _list(reply)]

    return Call.of(script("page"), keys.script_keys(queue), args, parse)


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events after a point, and where the job stands."""

    status: JobStatus
    progress: Progress | None
    events: list[Event]


def read_events(keys: Keys, job_id: JobId, *, after: int = 0) -> Call[EventPage | None]:
    """Return the job's events with ids greater than `after`, or None for an unknown job."""
    commands = [
        ("HMGET", keys.job(*job_id), "status", "progress"),
        ("LRANGE", keys.events(*job_id), after, -1),
    ]

    def parse(replies: list[Reply]) -> EventPage | None:
        status, progress = _list(replies[0])
        if status is None:
            return None
        return EventPage(JobStatus(_text(status)), _progress(progress), _events(replies[1], after=after))

    return Call(commands, parse)


@dataclass(frozen=True, slots=True)
class QueueState:
    """What a queue holds. `dead` are failed jobs, kept for replay."""

    waiting: int
    running: int
    scheduled: int
    dead: int
    oldest_age_seconds: float


def queue_state(keys: Keys, queue: str) -> Call[QueueState]:
    """Return what a queue holds and how long its oldest waiting job has waited since its submit."""
    bands = [
        (
            "ZRANGEBYSCORE",
            keys.index(queue, JobStatus.QUEUED),
            step * _BAND,
            (step + 1) * _BAND - 1,
            "WITHSCORES",
            "LIMIT",
            0,
            1,
        )
        for step in Priority
    ]
    counted = (JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.SCHEDULED, JobStatus.FAILED)
    counts = [("ZCARD", keys.index(queue, status)) for status in counted]

    def parse(replies: list[Reply]) -> QueueState:
        seconds, micros = _list(replies[0])
        now = _int(seconds) * 1000 + _int(micros) // 1000
        oldest = [int(float(_text(_list(band)[1]))) % _BAND for band in replies[5:] if _list(band)]
        age = max((now - created) / 1000 for created in oldest) if oldest else 0.0
        return QueueState(*(_int(count) for count in replies[1:5]), oldest_age_seconds=max(age, 0.0))

    return Call([("TIME",), *counts, *bands], parse)


_BAND = 10**13
"""As in scripts/common.lua: `queued` sorts by priority step * _BAND + creation."""


def publish_types(keys: Keys, infos: Sequence[JobTypeInfo]) -> Call[None]:
    """Publish job types, replacing what was published under the same names."""
    pairs = [part for info in infos for part in (info.type, info.model_dump_json())]
    return Call([("HSET", keys.types, *pairs)], lambda _: None)


def read_types(keys: Keys) -> Call[dict[str, JobTypeInfo]]:
    """Return all published job types by name."""

    def parse(replies: list[Reply]) -> dict[str, JobTypeInfo]:
        return {name: JobTypeInfo.model_validate_json(text) for name, text in sorted(_mapping(replies[0]).items())}

    return Call([("HGETALL", keys.types)], parse)


# --- replies to models -----------------------------------------------------------------------------------------------


def _job(job_id: JobId, fields: dict[str, bytes], events: list[Event], rank: Reply) -> Job:
    return Job(
        id=str(job_id),
        queue=job_id.queue,
        position=rank if isinstance(rank, int) else None,
        attempts=_attempts(events),
        input=_json(fields.get("input")),
        output=_json(fields.get("output")),
        artifacts=[Artifact(**each) for name in ("inputs", "artifacts") for each in _json(fields.get(name)) or ()],
        **_common(fields),
    )


def _summary(queue: str, uuid: Reply, values: Reply) -> Job:
    names = (
        "status",
        "type",
        "priority",
        "created",
        "max",
        "started",
        "finished",
        "progress",
        "cancel",
        "run_at",
        "expires",
        "error",
    )
    fields = {name: value for name, value in zip(names, _list(values), strict=True) if isinstance(value, bytes)}
    return Job(id=f"{queue}-{_text(uuid)}", queue=queue, **_common(fields))


def _common(fields: dict[str, bytes]) -> dict[str, object]:
    return {
        "type": fields["type"].decode(),
        "status": JobStatus(fields["status"].decode()),
        "priority": Priority(int(fields["priority"])),
        "max_attempts": int(fields["max"]),
        "progress": _progress(fields.get("progress")),
        "cancel_requested": "cancel" in fields,
        "created_at": _time(fields.get("created")),
        "run_at": _time(fields.get("run_at")),
        "expires_at": _time(fields.get("expires")),
        "started_at": _time(fields.get("started")),
        "finished_at": _time(fields.get("finished")),
        "error": _json(fields.get("error")),
    }


def _events(reply: Reply, *, after: int) -> list[Event]:
    return [_event(number, _bytes(text)) for number, text in enumerate(_list(reply), start=after + 1)]


def _event(number: int, text: bytes) -> Event:
    facts = orjson.loads(text)
    return Event(id=number, **{**facts, "at": _time(facts["at"])})


_CLOSING = frozenset({*(status.value for status in TERMINAL), "retrying", "lost", "released"})


def _attempts(events: Sequence[Event]) -> list[Attempt]:
    attempts: list[Attempt] = []
    for event in events:
        if event.event == JobStatus.RUNNING and event.attempt and event.worker:
            attempts.append(Attempt(number=event.attempt, worker=event.worker, started_at=event.at))
        elif event.event in _CLOSING and event.attempt and attempts:
            closing = {"ended_at": event.at, "outcome": event.event, "reason": event.reason, **(event.data or {})}
            attempts[-1] = Attempt.model_validate({**attempts[-1].model_dump(), **closing})
    return attempts


def _event_text(facts: Mapping[str, JsonValue]) -> bytes:
    """Return the facts as the JSON text a script puts behind `{"event":…,"at":…`."""
    return b"," + orjson.dumps(facts)[1:-1] if facts else _EMPTY


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _time(ms: bytes | int | None) -> datetime | None:
    return datetime.fromtimestamp(int(ms) / 1000, UTC) if ms else None


def _json(text: bytes | None) -> JsonValue:
    return orjson.loads(text) if text else None


def _progress(text: Reply) -> Progress | None:
    return Progress.model_validate_json(text) if isinstance(text, bytes) else None


def _status(reply: Reply) -> JobStatus | None:
    return JobStatus(_text(reply)) if reply else None


def _mapping(reply: Reply) -> dict[str, bytes]:
    # redis-py turns HGETALL into a dict in one protocol version and leaves a flat list in pipelines of raw commands.
    if isinstance(reply, dict):
        return {_text(name): _bytes(value) for name, value in reply.items()}
    flat = _list(reply)
    return {_text(name): _bytes(value) for name, value in zip(flat[::2], flat[1::2], strict=True)}


def _list(reply: Reply) -> list[Reply]:
    if not isinstance(reply, list | tuple):
        raise TypeError(f"Redis sent {type(reply).__name__} where a list was expected")
    return list(reply)


def _bytes(reply: Reply) -> bytes:
    if not isinstance(reply, bytes):
        raise TypeError(f"Redis sent {type(reply).__name__} where bytes were expected")
    return reply


def _text(reply: Reply) -> str:
    return reply if isinstance(reply, str) else _bytes(reply).decode()


def _int(reply: Reply) -> int:
    return int(_bytes(reply)) if not isinstance(reply, int) else reply
