"""Failed jobs, queued again by the thousand.

The jobs of a queue are looked through newest first, and each goes to the place where it is served next: so the oldest
is the first to run again. What the filter needs is in no index, so that one request looks through so many failed jobs
at most; `next_cursor` goes on from there.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from typing import NamedTuple, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from heavylift.model import Job, JobStatus
from heavylift.operations import cursor_of, list_jobs, read_queues, replay_each
from heavylift_api.errors import FieldError, InvalidRequest
from heavylift_api.handlers import field_errors
from heavylift_api.listing import QUEUE
from heavylift_api.store import BoundedStore
from heavylift_api.views import ReplayView

MAX_REPLAYED = 10_000

PAGE = 500
"""Jobs read, and replayed, by one script: some 10 ms of Redis."""

MAX_SCANNED = 20_000
"""Failed jobs looked at for one answer: about a second."""

_PLACE = re.compile(r"(?P<queue>[a-z][a-z0-9_.]{0,62}) (?P<before>\d{1,15}-\S{1,100})?\Z")


class ReplayRequest(BaseModel):
    """Which failed jobs to replay: those that fit every criterion, or `all`."""

    model_config = ConfigDict(extra="forbid")

    type: str | None = Field(default=None, max_length=200)
    queue: str | None = Field(default=None, pattern=QUEUE)
    error: str | None = Field(default=None, max_length=200, examples=["out_of_memory"])
    """The `type` of the job's error."""
    failed_after: AwareDatetime | None = None
    failed_before: AwareDatetime | None = None
    all_failed: bool = Field(default=False, alias="all")
    """Without any criterion: said on purpose, for a filter that was left out by mistake must not replay everything."""
    limit: int = Field(default=1000, ge=1, le=MAX_REPLAYED)
    """Replay so many at most."""
    cursor: str | None = Field(default=None, max_length=200)
    """`next_cursor` of the answer before."""

    @model_validator(mode="after")
    def _insist_on_a_choice(self) -> Self:
        criteria = (self.type, self.queue, self.error, self.failed_after, self.failed_before)
        if not self.all_failed and all(each is None for each in criteria):
            raise PydanticCustomError("no_criterion", 'Give a criterion, or `"all": true` for every failed job.')
        return self

    def fits(self, job: Job) -> bool:
        """Tell whether a failed job is meant."""
        ended = job.finished_at
        return (
            self.type in {None, job.type}
            and (self.error is None or (job.error is not None and job.error.type == self.error))
            and (self.failed_after is None or (ended is not None and ended > self.failed_after))
            and (self.failed_before is None or (ended is not None and ended < self.failed_before))
        )


class _Place(NamedTuple):
    """Where a search goes on: behind this job of this queue."""

    queue: str
    before: str | None


class Replays:
    """Replays failed jobs by a filter."""

    def __init__(self, store: BoundedStore) -> None:
        self._store = store

    async def replay(self, document: JsonValue, *, caller: str) -> ReplayView:
        """Replay what the request describes. Raises InvalidRequest or StoreUnavailable."""
        wanted = _parse(document)
        place = _decode(wanted.cursor)
        replayed = scanned = 0
        for queue in await self._queues(wanted, place):
            before = place.before if place is not None and place.queue == queue else None
            while True:
                if replayed >= wanted.limit or scanned >= MAX_SCANNED:
                    return ReplayView(replayed=replayed, next_cursor=_encode(_Place(queue, before)))
                jobs = await self._failed(queue, before)
                fitting = [job for job in jobs if wanted.fits(job)]
                chosen = fitting[: wanted.limit - replayed]
                replayed += await self._replay(queue, chosen, caller)
                scanned += len(jobs)
                if len(chosen) == len(fitting) and len(jobs) < PAGE:
                    break
                before = cursor_of(jobs[-1] if len(chosen) == len(fitting) else chosen[-1])
        return ReplayView(replayed=replayed)

    async def _queues(self, wanted: ReplayRequest, place: _Place | None) -> Sequence[str]:
        names = [wanted.queue] if wanted.queue else sorted(await self._store.run(read_queues(self._store.keys)))
        return [name for name in names if place is None or name >= place.queue]

    async def _failed(self, queue: str, before: str | None) -> list[Job]:
        call = list_jobs(self._store.keys, queue, status=JobStatus.FAILED, before=before, limit=PAGE)
        return await self._store.run(call)

    async def _replay(self, queue: str, jobs: Sequence[Job], caller: str) -> int:
        if not jobs:
            return 0
        uuids = [job.id.partition("-")[2] for job in jobs]  # a stock producer's ids need not be UUIDs
        results = await self._store.run(replay_each(self._store.keys, queue, uuids, reason=f"replayed by {caller}"))
        return sum(result.replayed for result in results)


def _parse(document: JsonValue) -> ReplayRequest:
    try:
        return ReplayRequest.model_validate(document)
    except ValidationError as error:
        raise InvalidRequest(errors=field_errors(error.errors(include_url=False, include_input=False))) from error


def _encode(place: _Place) -> str:
    return base64.urlsafe_b64encode(f"{place.queue} {place.before or ''}".encode()).decode().rstrip("=")


def _decode(cursor: str | None) -> _Place | None:
    if cursor is None:
        return None
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        text = ""
    match = _PLACE.match(text)
    if match is None:
        detail = "This is no cursor of this route; take `next_cursor` of the answer before."
        raise InvalidRequest(errors=[FieldError(pointer="/cursor", detail=detail)])
    return _Place(match["queue"], match["before"])
