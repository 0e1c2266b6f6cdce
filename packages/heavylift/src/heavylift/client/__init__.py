"""The Python client of Heavylift's HTTP API: `Client` blocks, `AsyncClient` awaits, and both do the same.

They repeat what is safe to repeat (reads, and submits under an Idempotency-Key of their own), wait as long as a busy
API asks for, and resume streams of events and downloads where they broke.
"""

from heavylift.client.aio import AsyncClient
from heavylift.client.errors import (
    ApiError,
    ApiUnavailable,
    ApiUnreachable,
    ClientError,
    Conflict,
    DownloadCorrupted,
    NoSuchArtifact,
    NotFound,
    Refused,
    Unauthorized,
    WaitTimeout,
)
from heavylift.client.new_job import NewJob
from heavylift.client.sync import Client
from heavylift.client.views import (
    ArtifactView,
    Batch,
    BatchResult,
    JobEvent,
    JobPage,
    JobView,
    PoolChange,
    PoolView,
    ProgressView,
    QueueView,
    Replayed,
    ScheduleView,
    Timings,
)

__all__ = [
    "ApiError",
    "ApiUnavailable",
    "ApiUnreachable",
    "ArtifactView",
    "AsyncClient",
    "Batch",
    "BatchResult",
    "Client",
    "ClientError",
    "Conflict",
    "DownloadCorrupted",
    "JobEvent",
    "JobPage",
    "JobView",
    "NewJob",
    "NoSuchArtifact",
    "NotFound",
    "PoolChange",
    "PoolView",
    "ProgressView",
    "QueueView",
    "Refused",
    "Replayed",
    "ScheduleView",
    "Timings",
    "Unauthorized",
    "WaitTimeout",
]
