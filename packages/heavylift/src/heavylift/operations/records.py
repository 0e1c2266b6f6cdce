"""Records and events as Redis holds them, read into models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import orjson
from pydantic import TypeAdapter

from heavylift.ids import JobId
from heavylift.model import TERMINAL, Artifact, Attempt, Event, Job, JobStatus
from heavylift.operations.replies import to_bytes, to_json, to_list, to_progress, to_text, to_time
from heavylift.store import Reply

SUMMARY_FIELDS = (
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
"""What a listing reads of each record, in this order."""

_ARTIFACTS = TypeAdapter(list[Artifact])


def to_job(job_id: JobId, fields: Mapping[str, bytes], events: Sequence[Event], rank: Reply) -> Job:
    """Return the whole record; `rank` is the job's place among the waiting ones, if it is one."""
    return Job.model_validate(
        {
            "id": str(job_id),
            "queue": job_id.queue,
            "position": rank if isinstance(rank, int) else None,
            "attempts": _attempts(events),
            "input": to_json(fields.get("input")),
            "output": to_json(fields.get("output")),
            "artifacts": [
                artifact
                for name in ("inputs", "artifacts")
                if name in fields
                for artifact in _ARTIFACTS.validate_json(fields[name])
            ],
            **_common(fields),
        }
    )


def to_summary(queue: str, uuid: Reply, values: Reply) -> Job:
    """Return what a row of scripts/page.lua says of a job."""
    found = zip(SUMMARY_FIELDS, to_list(values), strict=True)
    fields = {name: value for name, value in found if isinstance(value, bytes)}
    return Job.model_validate({"id": str(JobId(queue, to_text(uuid))), "queue": queue, **_common(fields)})


def _common(fields: Mapping[str, bytes]) -> dict[str, object]:
    return {
        "type": fields["type"].decode(),
        "status": fields["status"].decode(),
        "priority": int(fields["priority"]),
        "max_attempts": int(fields["max"]),
        "progress": to_progress(fields.get("progress")),
        "cancel_requested": "cancel" in fields,
        "created_at": to_time(fields.get("created")),
        "run_at": to_time(fields.get("run_at")),
        "expires_at": to_time(fields.get("expires")),
        "started_at": to_time(fields.get("started")),
        "finished_at": to_time(fields.get("finished")),
        "error": to_json(fields.get("error")),
    }


def to_events(reply: Reply, *, after: int) -> list[Event]:
    """Return the events whose ids follow `after`."""
    return [_event(number, to_bytes(text)) for number, text in enumerate(to_list(reply), start=after + 1)]


def _event(number: int, text: bytes) -> Event:
    facts = orjson.loads(text)
    return Event.model_validate({**facts, "id": number, "at": to_time(facts["at"])})


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
