"""Following a job's events over connections that may break, without input or output.

The API numbers the entries of a job's history from 1. The cursor remembers the last one it handed out: it asks each
new connection for what follows it, and drops what it has seen, so that a broken stream leaves no gap and repeats
nothing. Progress carries no number: of that only the newest matters.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
from httpx_sse import ServerSentEvent

from heavylift.client.errors import ApiUnavailable, ApiUnreachable, ClientError, WaitTimeout
from heavylift.client.flow import backoff, describe
from heavylift.client.operations import job_path
from heavylift.client.views import JobEvent, ProgressView
from heavylift.model import JobStatus

SILENCE = 40.0
"""Seconds without a byte after which a stream is dead: the API sends a comment every 15."""

_PAUSE = 0.5

RECONNECTS = 20
"""Tries in a row without an answer before giving up: about 90 s, longer than an API's rollout."""


class EventCursor:
    """Where a reader of one job's events is."""

    def __init__(self, job_id: str, *, base_url: str, after: int = 0, timeout: float | None = None) -> None:
        self.job_id = job_id
        self.path = f"{job_path(job_id)}/events"
        self.ended = False
        self._base_url = base_url
        self._last = after
        self._timeout = timeout
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._delays: Iterator[float] = backoff(RECONNECTS)
        self._heard = False
        self._found_ended = False
        self._read_timeout = SILENCE

    def connect(self) -> dict[str, str]:
        """Begin a connection and return its headers. Raises WaitTimeout."""
        self._heard = False
        self._read_timeout = self.patience()
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        return headers | ({"Last-Event-ID": str(self._last)} if self._last else {})

    @property
    def read_timeout(self) -> float:
        """How long a read of this connection may take."""
        return self._read_timeout

    def patience(self) -> float:
        """Return how long a read may take from now on. Raises WaitTimeout."""
        if self._deadline is None:
            return SILENCE
        left = self._deadline - time.monotonic()
        if left <= 0:
            assert self._timeout is not None
            raise WaitTimeout(self.job_id, self._timeout)
        return min(SILENCE, left)

    def take(self, received: ServerSentEvent) -> JobEvent | None:
        """Return the event received; None if it was handed out before, or says only that the API is still there."""
        self._heard = True
        self._delays = backoff(RECONNECTS)
        if not received.data:  # the API's sign of life, a comment, of which httpx-sse 0.4.3 makes an event
            return None
        if received.event == "progress":
            return JobEvent(event="progress", progress=ProgressView.model_validate_json(received.data))
        event = JobEvent.model_validate_json(received.data)
        if event.id is not None and event.id <= self._last:
            return None
        self._last = event.id or self._last
        self.ended = event.ends_the_job
        return event

    @property
    def overdue(self) -> bool:
        """Whether this connection waits longer than the reader's deadline allows, so that it needs a new one."""
        return self._read_timeout > self.patience() + 1

    @property
    def in_doubt(self) -> bool:
        """Whether the stream closed in good order and brought nothing, so that only the job's state tells why."""
        return not self.ended and not self._heard

    def resolve(self, status: JobStatus) -> float:
        """Take the job's state into account and return how long to wait before the next connection.

        A job found ended gets one more connection: its last events may have come after the stream closed.
        """
        if status.terminal:
            self.ended = self._found_ended
            self._found_ended = True
            return 0.0
        return min(_PAUSE, self.patience())

    def broken(self, error: httpx.TransportError | ClientError) -> float:
        """Return how long to wait before the next connection. Raises the reason to give up."""
        if isinstance(error, ClientError) and not isinstance(error, ApiUnavailable | ApiUnreachable):
            raise error
        delay = next(self._delays, None)
        if delay is None:
            raise self._gave_up(error) from error
        asked = error.retry_after if isinstance(error, ApiUnavailable) else None
        return min(max(delay, asked or 0.0), self.patience())

    def _gave_up(self, error: httpx.TransportError | ClientError) -> ClientError:
        return error if isinstance(error, ClientError) else ApiUnreachable(self._base_url, describe(error))
