"""What a worker asks: claim, renew, report, finish."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple

import orjson
from pydantic import JsonValue

from heavylift.constants import (
    DRY_PERIOD,
    DRY_TURN,
    MAX_LOG_EVENTS,
    MAX_SKIPPED_PER_CLAIM,
    SUSPECT_PATIENCE,
    SUSPECT_SPACING,
    Keys,
)
from heavylift.errors import ClaimRefused, MustRunDry
from heavylift.ids import JobId
from heavylift.model import Artifact, JobError, JobTypeInfo, Progress, RetryPolicy
from heavylift.operations.replies import EMPTY, event_text, to_bytes, to_int, to_list, to_text
from heavylift.scripts import script
from heavylift.store import Argument, Call, Reply


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
    waited: float | None = None
    """Seconds from the submit, or from `run_at`, to this claim, if it is for the first attempt."""


@dataclass(frozen=True, slots=True)
class Claimant:
    """Who claims: a worker process of one boot."""

    worker: str
    boot: str


def claim(keys: Keys, queue: str, claimant: Claimant, *, number: int, slots: int, busy: int) -> Call[list[Claim]]:
    """Take up to `slots` jobs for a worker that holds `busy`; tokens are numbered from `number`.

    No slots: a wake token that the worker took is given to another one. Raises ClaimRefused for a marked worker, and
    MustRunDry for the one that a job waits for: it is to ask again when it holds nothing, and within DRY_PERIOD.
    """
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
        int(SUSPECT_PATIENCE.total_seconds() * 1000),
        int(DRY_PERIOD.total_seconds() * 1000),
        int(DRY_TURN.total_seconds() * 1000),
        int(SUSPECT_SPACING.total_seconds() * 1000),
    ]

    def parse(reply: Reply) -> list[Claim]:
        if reply is None:
            raise ClaimRefused
        if reply == 0:
            raise MustRunDry
        return [_claim(queue, to_list(row)) for row in to_list(reply)]

    return Call.of(script("claim"), keys.script_keys(queue), args, parse)


def _claim(queue: str, row: list[Reply]) -> Claim:
    uuid, token, text, type_, input_, attempt, alone, waited = row
    return Claim(
        id=JobId(queue, to_text(uuid)),
        token=to_text(token),
        message=to_bytes(text),
        type=to_text(type_),
        input=input_ if isinstance(input_, bytes) else None,
        attempt=to_int(attempt),
        alone=alone == 1,
        waited=to_int(waited) / 1000 if waited is not None else None,
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
        script("renew"),
        keys.script_keys(queue),
        args,
        lambda reply: [states[to_int(state)] for state in to_list(reply)],
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
    ran: bool = True
    """The job's code ran: how long the attempt took is what such jobs take."""


class Finished(NamedTuple):
    """What a finish did: `first` if this call ended the attempt, `written` also if the same token had done so before.

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
        ending.output or EMPTY,
        orjson.dumps(ending.error.model_dump(exclude_none=True)) if ending.error else EMPTY,
        orjson.dumps([artifact.model_dump() for artifact in ending.artifacts]) if ending.artifacts else EMPTY,
        event_text(facts),
        int(ending.delay.total_seconds() * 1000),
        *(publish or (EMPTY, EMPTY)),
        int(ending.ran),
    ]

    def parse(reply: Reply) -> Finished:
        state, status = to_list(reply)
        return Finished(state == 1, state != 0, to_text(status))

    return Call.of(script("finish"), keys.script_keys(job_id.queue), args, parse)


def report_progress(keys: Keys, job_id: JobId, token: str, progress: Progress) -> Call[bool]:
    """Record a running attempt's progress. False: the lease is another's."""
    args = [job_id.uuid, token, "progress", orjson.dumps(progress.model_dump(exclude_none=True)), 0]
    return Call.of(script("report"), keys.script_keys(job_id.queue), args, lambda reply: reply != 0)


def report_log(keys: Keys, job_id: JobId, token: str, text: str, fields: Mapping[str, JsonValue]) -> Call[bool]:
    """Add a line to the job's events. False: the lease is another's. Beyond MAX_LOG_EVENTS lines are dropped."""
    facts: dict[str, JsonValue] = {"message": text, **({"data": dict(fields)} if fields else {})}
    args = [job_id.uuid, token, "log", event_text(facts), MAX_LOG_EVENTS]
    return Call.of(script("report"), keys.script_keys(job_id.queue), args, lambda reply: reply != 0)
