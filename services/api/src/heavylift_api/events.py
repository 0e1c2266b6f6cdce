"""A job's history as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).

A stream reads from the store what follows the last entry it sent, whenever the hub says that something happened, and
at least every LOOK_INTERVAL. So entries come in order, none twice and none missing, whatever happens to the hints.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import orjson
import structlog
from fastapi.sse import format_sse_event
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from heavylift.constants import PROGRESS_INTERVAL
from heavylift.errors import StoreUnavailable
from heavylift.ids import JobId
from heavylift.model import TERMINAL, Event, Progress
from heavylift.operations import EventPage, read_events
from heavylift_api import metrics
from heavylift_api.errors import TooManyStreams, UnknownJob
from heavylift_api.hub import Hub
from heavylift_api.store import BoundedStore
from heavylift_api.views import ProgressView

LOOK_INTERVAL = 5.0
"""Seconds after which a stream looks though nothing called: what a lost hint may cost."""

HEARTBEAT = 15.0
"""Seconds of silence after which a comment tells client and proxies that the stream lives."""

RETRY_PAUSE = 1.0
"""Seconds between two looks while Redis does not answer."""

_COMMENT = b": still here\n\n"
_ENDS = frozenset(status.value for status in TERMINAL)
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # nginx would collect events otherwise

log = structlog.get_logger()


class EventStreams:
    """Serves event streams, up to a number at the same time."""

    def __init__(self, store: BoundedStore, hub: Hub, *, bound: int) -> None:
        self._store = store
        self._hub = hub
        self._bound = bound
        self._open = 0

    async def open(self, job_id: JobId, *, after: int) -> EventStreamResponse:
        """Return a stream of what follows the entry `after`.

        Raises UnknownJob, TooManyStreams or StoreUnavailable.
        """
        if self._open >= self._bound:
            raise TooManyStreams
        if await self._store.run(read_events(self._store.keys, job_id, after=after)) is None:
            raise UnknownJob
        return EventStreamResponse(self, job_id, after)

    async def follow(self, job_id: JobId, after: int) -> AsyncIterator[bytes]:
        """Yield the bytes of the stream until the job has ended, is forgotten, or the server goes."""
        with self._hub.watch(job_id) as watch:
            reader = _Reader(after)
            while not self._hub.closing:
                page, wait = await self._look(job_id, reader.last)
                for chunk in reader.take(page) if page else ():
                    yield chunk
                if wait == 0.0 or reader.ended:
                    return
                if not reader.hurry:
                    await watch.wait(min(wait, reader.progress_due()))
                if reader.silent():
                    yield _COMMENT

    async def _look(self, job_id: JobId, after: int) -> tuple[EventPage | None, float]:
        """Return what is new and how long to wait before the next look, 0 if there is no such job any more."""
        try:
            page = await self._store.run(read_events(self._store.keys, job_id, after=after))
        except StoreUnavailable as error:
            log.info("event_stream_waits", job_id=str(job_id), reason=str(error))
            return None, RETRY_PAUSE
        return page, LOOK_INTERVAL if page else 0.0

    def enter(self) -> None:
        """Count a stream that begins."""
        self._open += 1
        metrics.STREAMS_OPEN.inc()

    def leave(self) -> None:
        """Count a stream that ended."""
        self._open -= 1
        metrics.STREAMS_OPEN.dec()


class EventStreamResponse(StreamingResponse):
    """A stream, counted while it is served."""

    def __init__(self, streams: EventStreams, job_id: JobId, after: int) -> None:
        self._streams = streams
        super().__init__(streams.follow(job_id, after), headers=_HEADERS, media_type="text/event-stream")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the stream."""
        self._streams.enter()
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._streams.leave()


class _Reader:
    """What one stream has sent, and what it has to send now."""

    def __init__(self, after: int) -> None:
        self.last = after
        self.ended = False
        self.hurry = False
        self._progress: Progress | None = None
        self._held: Progress | None = None
        self._progress_at = 0.0
        self._sent_at = time.monotonic()

    def take(self, page: EventPage) -> list[bytes]:
        entries = [_entry(event) for event in page.events]
        self.last += len(entries)
        # The state is read before the entries: one that ended the job in between is known by its name.
        self.ended = page.status.terminal
        self.hurry = not self.ended and any(event.event in _ENDS for event in page.events[-1:])
        progress = self._progress_chunk(page.progress)
        chunks = [*progress, *entries] if self.ended else [*entries, *progress]
        if chunks:
            self._sent_at = time.monotonic()
        return chunks

    def progress_due(self) -> float:
        """Return the seconds until held back progress may be sent."""
        if self._held is None:
            return LOOK_INTERVAL
        return max(self._progress_at + PROGRESS_INTERVAL.total_seconds() - time.monotonic(), 0.0)

    def silent(self) -> bool:
        """Tell whether a heartbeat is due, and take it as sent."""
        if time.monotonic() - self._sent_at < HEARTBEAT:
            return False
        self._sent_at = time.monotonic()
        return True

    def _progress_chunk(self, progress: Progress | None) -> list[bytes]:
        if progress is None or progress == self._progress:
            self._held = None
            return []
        self._held = progress
        if self.progress_due() > 0 and not self.ended:
            return []
        self._held, self._progress, self._progress_at = None, progress, time.monotonic()
        view = ProgressView.of(progress).model_dump(mode="json", exclude_none=True)
        return [format_sse_event(data_str=orjson.dumps({"event": "progress", **view}).decode(), event="progress")]


def _entry(event: Event) -> bytes:
    data = event.model_dump_json(exclude_none=True)
    return format_sse_event(data_str=data, event=event.event, id=str(event.id))
