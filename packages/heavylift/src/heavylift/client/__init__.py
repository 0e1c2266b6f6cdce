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
from heavylift.client.sync import Client
from heavylift.client.views import ArtifactView, JobEvent, JobPage, JobView, ProgressView, Timings

__all__ = [
    "ApiError",
    "ApiUnavailable",
    "ApiUnreachable",
    "ArtifactView",
    "AsyncClient",
    "Client",
    "ClientError",
    "Conflict",
    "DownloadCorrupted",
    "JobEvent",
    "JobPage",
    "JobView",
    "NoSuchArtifact",
    "NotFound",
    "ProgressView",
    "Refused",
    "Timings",
    "Unauthorized",
    "WaitTimeout",
]
