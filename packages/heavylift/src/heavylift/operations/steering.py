"""What a person asks of a job that is there already."""

from __future__ import annotations

from heavylift.constants import Keys
from heavylift.ids import JobId
from heavylift.model import JobStatus
from heavylift.operations.replies import event_text, to_status
from heavylift.scripts import script
from heavylift.store import Call


def cancel(keys: Keys, job_id: JobId, *, reason: str | None = None) -> Call[JobStatus | None]:
    """Cancel a waiting job, ask a running one to stop. The state afterwards; None for an unknown job."""
    args = [job_id.uuid, event_text({"reason": reason} if reason else {})]
    return Call.of(script("cancel"), keys.script_keys(job_id.queue), args, to_status)


def replay(keys: Keys, job_id: JobId, *, reason: str | None = None) -> Call[JobStatus | None]:
    """Queue a failed job again with all its attempts. The state afterwards; None for an unknown job."""
    args = [job_id.uuid, event_text({"reason": reason or "replayed"})]
    return Call.of(script("replay"), keys.script_keys(job_id.queue), args, to_status)
