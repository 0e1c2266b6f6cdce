"""All exceptions of the library.

HeavyliftError
├── ConfigurationError      a setting is missing or wrong
├── InvalidJobId
├── InvalidArtifactName
├── ArtifactNotFound
├── ArtifactStorageUnavailable  the folder or bucket cannot be reached, or refuses the request
├── QueueFull               the queue's bound is reached
├── StoreUnavailable        Redis cannot be reached, or refuses writes
│   └── StoreFull           Redis has reached its maxmemory: the write was not done
├── ClaimRefused            the worker is marked to be drained
├── MustRunDry              a job that runs alone waits for the worker to hold nothing
├── LeaseLost               another attempt owns the job now
└── raised by job code
    ├── JobFailed           final: do not try again
    ├── JobRetry            try again, at a chosen time if one is given
    ├── JobCancelled        the job was asked to stop and did
    └── SoftTimeLimitExceeded   the soft time limit has passed: save what matters
"""

# ruff: noqa: N818 - job authors raise these by name: JobFailed, JobRetry read as what happened

from __future__ import annotations

from datetime import timedelta


class HeavyliftError(Exception):
    """Something in Heavylift went wrong."""


class ConfigurationError(HeavyliftError):
    """A setting is missing or wrong; the message says which and what is allowed."""


class InvalidJobId(HeavyliftError):
    """Not a job id. One looks like `video-0190f3a0-7b1e-7c33-8a55-2f1c9d0e4b6a`."""

    def __init__(self, text: str) -> None:
        super().__init__(f"{text[:80]!r} is not a job id. One looks like video-0190f3a0-7b1e-7c33-8a55-2f1c9d0e4b6a.")


class InvalidArtifactName(HeavyliftError):
    """Artifact names are relative paths of letters, digits and `. _ -`, without `..`, at most 200 characters."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name[:80]!r} is not an artifact name: {self.__doc__}")


class ArtifactNotFound(HeavyliftError):
    """There is no such artifact in storage."""


class ArtifactStorageUnavailable(HeavyliftError):
    """Check HEAVYLIFT_ARTIFACTS_URL, the AWS_* variables, and that the folder or bucket exists and may be written."""


class QueueFull(HeavyliftError):
    """The queue holds as many waiting jobs as its bound allows; submit again later."""

    def __init__(self, queue: str, bound: int) -> None:
        super().__init__(f"Queue {queue!r} holds {bound} waiting jobs, its bound; submit again later.")
        self.queue = queue
        self.bound = bound


class StoreUnavailable(HeavyliftError):
    """Redis cannot be reached, is loading, or refuses writes; nothing was accepted. Try again in a moment."""


class StoreFull(StoreUnavailable):
    """Redis has reached its maxmemory; nothing was written. Raise maxmemory, or wait until jobs are forgotten."""


class ClaimRefused(HeavyliftError):
    """The worker is marked to be drained: it gets jobs of this queue again when the mark is taken back, or ends."""


class MustRunDry(HeavyliftError):
    """A job that was lost twice, and must run alone, waits for this worker: it gets that one when it holds nothing."""


class LeaseLost(HeavyliftError):
    """This attempt's lease was given to another worker; it can write nothing any more and must stop."""


class JobFailed(HeavyliftError):
    """Raise it in a job with a sentence for the person who sent it in: the job fails at once, without a retry."""


class JobRetry(HeavyliftError):
    """Raise it in a job to be tried again, after `delay` if given, else by the type's backoff."""

    def __init__(self, message: str, *, delay: timedelta | None = None) -> None:
        super().__init__(message)
        self.delay = delay


class JobCancelled(HeavyliftError):
    """Raised inside a job by `ctx.progress` and `ctx.stop_if_cancelled` once somebody cancelled it."""


class SoftTimeLimitExceeded(HeavyliftError):
    """Raised inside a job once its soft time limit has passed; it may save what matters until the hard one."""
