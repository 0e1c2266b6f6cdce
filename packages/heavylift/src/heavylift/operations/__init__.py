"""Everything that can be asked of the store, one function an operation, each a `Call` for Store.run or AsyncStore.run.

Functions that change something name their script; what it checks and writes stands in scripts/<name>.lua.
"""

from heavylift.operations.attempts import (
    Claim,
    Claimant,
    Ending,
    Finished,
    LeaseState,
    Outcome,
    claim,
    finish,
    renew,
    report_log,
    report_progress,
)
from heavylift.operations.job_types import publish_types, read_queues, read_type_names, read_types
from heavylift.operations.queues import QueueState, find_messages, queue_state
from heavylift.operations.reading import EventPage, cursor_of, list_jobs, read_events, read_job, read_statuses
from heavylift.operations.recovery import (
    Lease,
    Released,
    forget,
    read_all_leases,
    read_kept_until,
    read_leases,
    reap,
    release_due,
)
from heavylift.operations.schedules import Agenda, Planned, fire, plan, read_agenda, unplan
from heavylift.operations.steering import Replayed, cancel, replay, replay_each
from heavylift.operations.submission import Submission, Submitted, submit, submit_each

__all__ = [
    "Agenda",
    "Claim",
    "Claimant",
    "Ending",
    "EventPage",
    "Finished",
    "Lease",
    "LeaseState",
    "Outcome",
    "Planned",
    "QueueState",
    "Released",
    "Replayed",
    "Submission",
    "Submitted",
    "cancel",
    "claim",
    "cursor_of",
    "find_messages",
    "finish",
    "fire",
    "forget",
    "list_jobs",
    "plan",
    "publish_types",
    "queue_state",
    "read_agenda",
    "read_all_leases",
    "read_events",
    "read_job",
    "read_kept_until",
    "read_leases",
    "read_queues",
    "read_statuses",
    "read_type_names",
    "read_types",
    "reap",
    "release_due",
    "renew",
    "replay",
    "replay_each",
    "report_log",
    "report_progress",
    "submit",
    "submit_each",
    "unplan",
]
