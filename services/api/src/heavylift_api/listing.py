"""Lists of jobs over all queues, newest first."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from heavylift.model import Job, JobStatus
from heavylift.operations import cursor_of, list_jobs, read_queues
from heavylift_api.errors import FieldError, InvalidRequest
from heavylift_api.store import BoundedStore
from heavylift_api.views import JobPage, JobSummary

MAX_LIMIT = 200

QUEUE = r"^[a-z][a-z0-9_.]{0,62}$"
"""A queue's name, as OpenAPI shows it."""

MAX_SCANS = 10
"""Pages read for one answer when a filter the index does not know leaves few rows: bounds the work of a request."""

_CURSOR = re.compile(r"\d{1,15}-[0-9a-f-]{36}\Z")


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs to list."""

    status: JobStatus | None = None
    type: str | None = None
    queue: str | None = None
    limit: int = 50
    cursor: str | None = None


class Listing:
    """Reads pages of jobs."""

    def __init__(self, store: BoundedStore) -> None:
        self._store = store

    async def page(self, wanted: JobFilter) -> JobPage:
        """Return a page. Raises InvalidRequest for a foreign cursor, StoreUnavailable.

        A page may be shorter than its limit and still have a next one: the type is not indexed, and the search for it
        ends after MAX_SCANS reads.
        """
        before = decode_cursor(wanted.cursor)
        queues = [wanted.queue] if wanted.queue else sorted(await self._store.run(read_queues(self._store.keys)))
        size = wanted.limit + 1 if wanted.type is None else MAX_LIMIT
        found: list[Job] = []
        for _ in range(MAX_SCANS):
            rows = await self._newest(queues, wanted.status, before, size)
            found += [job for job in rows if wanted.type in {None, job.type}]
            if len(found) > wanted.limit:
                return _page(found[: wanted.limit], cursor_of(found[wanted.limit - 1]))
            if len(rows) < size:
                return _page(found, None)
            before = cursor_of(rows[-1])
        return _page(found, before)

    async def _newest(
        self, queues: Sequence[str], status: JobStatus | None, before: str | None, size: int
    ) -> list[Job]:
        calls = [list_jobs(self._store.keys, queue, status=status, before=before, limit=size) for queue in queues]
        pages = await asyncio.gather(*(self._store.run(call) for call in calls))
        merged = sorted((job for page in pages for job in page), key=_age_key, reverse=True)
        return merged[:size]


def next_link(wanted: JobFilter, cursor: str) -> str:
    """Return the Link header's value (RFC 8288) for the next page."""
    asked = {"status": wanted.status, "type": wanted.type, "queue": wanted.queue, "limit": wanted.limit}
    query = urlencode({**{name: value for name, value in asked.items() if value is not None}, "cursor": cursor})
    return f'</v1/jobs?{query}>; rel="next"'


def encode_cursor(place: str) -> str:
    """Return a place in the list as clients see it."""
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None) -> str | None:
    """Return the place a cursor names. Raises InvalidRequest for one this API did not make."""
    if cursor is None:
        return None
    try:
        place = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        place = ""
    if not _CURSOR.match(place):
        problem = "This is no cursor of this API; take `next_cursor` of the page before."
        raise InvalidRequest(errors=[FieldError(parameter="cursor", detail=problem)])
    return place


def _page(jobs: Sequence[Job], place: str | None) -> JobPage:
    return JobPage(
        items=[JobSummary.of(job) for job in jobs], next_cursor=encode_cursor(place) if place is not None else None
    )


def _age_key(job: Job) -> tuple[object, str]:
    # As scripts/page.lua sorts within a queue: by creation, then by uuid.
    return job.created_at, job.id.partition("-")[2]
