"""What a person asks of a job that is there already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from heavylift.constants import Keys
from heavylift.ids import JobId
from heavylift.model import JobStatus
from heavylift.operations.replies import event_text, to_list, to_status
from heavylift.scripts import script
from heavylift.store import Call, Reply


def cancel(keys: Keys, job_id: JobId, *, reason: str | None = None) -> Call[JobStatus | None]:
    """Cancel a waiting job, ask a running one to stop. The state afterwards; None for an unknown job."""
    args = [job_id.uuid, event_text({"reason": reason} if reason else {})]
    return Call.of(script("cancel"), keys.script_keys(job_id.queue), args, to_status)


def replay(keys: Keys, job_id: JobId, *, reason: str | None = None) -> Call[JobStatus | None]:
    """Queue a failed job again with all its attempts. The state afterwards; None for an unknown job."""
    call = replay_each(keys, job_id.queue, [job_id.uuid], reason=reason)
    return Call(call.commands, lambda replies: call.parse(replies)[0].status, call.script)


class Replayed(NamedTuple):
    """Whether a job was queued again, and its state afterwards; None for an unknown job."""

    replayed: bool
    status: JobStatus | None


def replay_each(keys: Keys, queue: str, uuids: Sequence[str], *, reason: str | None = None) -> Call[list[Replayed]]:
    """Queue those of a queue's jobs again that have failed and are still kept."""
    args = [event_text({"reason": reason or "replayed"}), *uuids]

    def parse(reply: Reply) -> list[Replayed]:
        rows = map(to_list, to_list(reply))
        return [Replayed(flag == 1, to_status(status)) for flag, status in rows]

    return Call.of(script("replay"), keys.script_keys(queue), args, parse)
