"""Reading jobs and their events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from heavylift.constants import Keys
from heavylift.ids import JobId
from heavylift.model import Event, Job, JobStatus, Progress
from heavylift.operations.records import SUMMARY_FIELDS, to_events, to_job, to_summary
from heavylift.operations.replies import to_int, to_list, to_mapping, to_ms, to_progress, to_status, to_text
from heavylift.scripts import script
from heavylift.store import Argument, Call, Reply


def read_clock() -> Call[float]:
    """Return Redis's time, in seconds since the epoch: the one by which the store's times are to be judged."""

    def parse(replies: list[Reply]) -> float:
        seconds, micros = to_list(replies[0])
        return to_int(seconds) + to_int(micros) / 1e6

    return Call([("TIME",)], parse)


def read_job(keys: Keys, job_id: JobId) -> Call[Job | None]:
    """Return a job's whole record, or None."""
    commands = [
        ("HGETALL", keys.job(*job_id)),
        ("LRANGE", keys.events(*job_id), 0, -1),
        ("ZRANK", keys.index(job_id.queue, JobStatus.QUEUED), job_id.uuid),
    ]

    def parse(replies: list[Reply]) -> Job | None:
        fields = to_mapping(replies[0])
        return to_job(job_id, fields, to_events(replies[1], after=0), replies[2]) if fields else None

    return Call(commands, parse)


def read_statuses(keys: Keys, queue: str, uuids: Sequence[str]) -> Call[list[JobStatus | None]]:
    """Return the states of a queue's jobs; None for an unknown one."""
    commands = [("HGET", keys.job(queue, uuid), "status") for uuid in uuids]
    return Call(commands, lambda replies: [to_status(reply) for reply in replies])


def cursor_of(job: Job) -> str:
    """Return what `list_jobs` takes as `before` to go on after this job."""
    return f"{to_ms(job.created_at)}-{job.id.partition('-')[2]}"


def list_jobs(
    keys: Keys, queue: str, *, status: JobStatus | None = None, before: str | None = None, limit: int = 50
) -> Call[list[Job]]:
    """Return a queue's jobs, newest first, without input, output and attempts. `before` is a `cursor_of`."""
    created, _, last = (before or "").partition("-")
    statuses = [status] if status else tuple(JobStatus)
    wanted = [each.value for each in statuses]
    args: list[Argument] = [created, last, limit, len(wanted), *wanted, *SUMMARY_FIELDS]

    def parse(reply: Reply) -> list[Job]:
        return [to_summary(queue, *to_list(row)) for row in to_list(reply)]

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
        status, progress = to_list(replies[0])
        if status is None:
            return None
        return EventPage(JobStatus(to_text(status)), to_progress(progress), to_events(replies[1], after=after))

    return Call(commands, parse)
