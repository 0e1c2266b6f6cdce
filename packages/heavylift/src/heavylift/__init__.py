"""What job authors import. Everything else is imported from its module, so that this stays light."""

from heavylift.errors import HeavyliftError, JobCancelled, JobFailed, JobRetry, SoftTimeLimitExceeded
from heavylift.jobs import JobContext, JobType, job
from heavylift.model import Artifact, JobStatus, Priority, RetryPolicy

__all__ = [
    "Artifact",
    "HeavyliftError",
    "JobCancelled",
    "JobContext",
    "JobFailed",
    "JobRetry",
    "JobStatus",
    "JobType",
    "Priority",
    "RetryPolicy",
    "SoftTimeLimitExceeded",
    "job",
]
