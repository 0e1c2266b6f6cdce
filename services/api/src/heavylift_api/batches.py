"""Many jobs in one request.

Each job is checked by itself, as `POST /v1/jobs` would; what is wrong with one keeps no other back. The good ones go
to Redis in chunks, one script each, so that a large batch never holds Redis up for long; a chunk's script is built
while Redis works on the one before. All chunks go one behind the other: a queue takes the jobs in the batch's order.

When Redis falls silent, the chunk under way is in doubt and those behind it are not sent. Both are `unconfirmed`: under
an Idempotency-Key the ids come from the key's note, so that the same request sent again takes what is missing.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson
import structlog
from pydantic import JsonValue

from heavylift.errors import QueueFull, StoreFull, StoreUnavailable
from heavylift.ids import JobId, batch_uuid, new_job_id
from heavylift.model import JobStatus
from heavylift.operations import Submission, read_statuses, submit_each
from heavylift_api import metrics
from heavylift_api.body import too_large
from heavylift_api.errors import (
    FieldError,
    InvalidBatch,
    InvalidRequest,
    OutOfMemory,
    Problem,
    QueueBusy,
    StoreGone,
    UnknownJobType,
)
from heavylift_api.idempotency import Idempotency, RequestKey
from heavylift_api.job_types import MAX_ERRORS, JobTypes, PublishedType
from heavylift_api.memory import Memory
from heavylift_api.pointers import pointer
from heavylift_api.settings import ApiSettings
from heavylift_api.store import BoundedStore
from heavylift_api.submission import JobRequest, check_input, parse_request, to_submission
from heavylift_api.views import BatchOutcome, job_urls

MAX_ITEMS = 10_000

CHUNK = 500
"""Jobs in one script, which holds Redis up for some 10 ms; and jobs checked before other requests get their turn."""

Result = dict[str, Any]

log = structlog.get_logger()


class Checked(NamedTuple):
    """A job of the batch that can be submitted."""

    index: int
    published: PublishedType
    request: JobRequest


class Batches:
    """Takes batches of jobs."""

    def __init__(
        self, store: BoundedStore, types: JobTypes, idempotency: Idempotency, memory: Memory, settings: ApiSettings
    ) -> None:
        self._store = store
        self._types = types
        self._idempotency = idempotency
        self._memory = memory
        self._settings = settings

    async def submit(self, document: JsonValue, key: RequestKey | None = None) -> bytes:
        """Accept the jobs of a batch; with a key, once. Returns the JSON of a BatchView.

        Raises InvalidRequest, KeyReused, and if no job was accepted InvalidBatch, QueueBusy, OutOfMemory or
        StoreUnavailable.
        """
        self._memory.check()
        items = _items(document)
        batch = _Batch(len(items))
        checked = await self._check(items, batch)
        if checked:
            first, queues = await self._identify(items, checked, key)
            await self._send(checked, batch, first, queues)
        return batch.answer()

    async def _check(self, items: Sequence[JsonValue], batch: _Batch) -> list[Checked]:
        known: dict[str, PublishedType | Problem] = {}
        checked: list[Checked] = []
        for index, item in enumerate(items):
            if index % CHUNK == 0:
                await asyncio.sleep(0)
            name = ""
            try:
                request = parse_request(item)
                name = request.type
                published = known[name] if name in known else await self._look_up(name, known)
                if isinstance(published, Problem):
                    raise published
                check_input(published, request.input)
            except Problem as problem:
                batch.refuse(index, name if isinstance(known.get(name), PublishedType) else "", problem)
            else:
                checked.append(Checked(index, published, request))
        return checked

    async def _look_up(self, name: str, known: dict[str, PublishedType | Problem]) -> PublishedType | Problem:
        try:
            known[name] = await self._types.get(name)
        except UnknownJobType as problem:
            known[name] = problem
        return known[name]

    async def _identify(
        self, items: Sequence[JsonValue], checked: Sequence[Checked], key: RequestKey | None
    ) -> tuple[str, Mapping[str, str]]:
        """Return the uuid that all others come from, and the types' queues."""
        infos = list({each.published.info.type: each.published.info for each in checked}.values())
        if key is None:
            return new_job_id("batch").uuid, {info.type: info.queue for info in infos}
        payload = hashlib.sha256(b"batch")
        for some in _chunks(items):
            payload.update(orjson.dumps(some, option=orjson.OPT_SORT_KEYS))
            await asyncio.sleep(0)
        return await self._idempotency.batch(key, payload, infos)

    async def _send(self, checked: Sequence[Checked], batch: _Batch, first: str, queues: Mapping[str, str]) -> None:
        by_queue: dict[str, list[Checked]] = {}
        for each in checked:
            by_queue.setdefault(queues[each.published.info.type], []).append(each)
        sending: asyncio.Task[None] | None = None
        try:
            for queue, jobs in by_queue.items():
                for chunk in _chunks(jobs):
                    submissions = self._submissions(chunk, batch, queue, first)
                    if sending is not None:
                        await sending
                    sending = asyncio.create_task(self._send_chunk(queue, submissions, batch))
                    await asyncio.sleep(0)
            if sending is not None:
                await sending
        except StoreFull:
            batch.give_up(checked, OutOfMemory(), BatchOutcome.REFUSED)
        except StoreUnavailable as error:
            log.warning("batch_unconfirmed", reason=str(error), **batch.counts)
            batch.give_up(checked, StoreGone(), BatchOutcome.UNCONFIRMED)

    def _submissions(self, chunk: Sequence[Checked], batch: _Batch, queue: str, first: str) -> dict[int, Submission]:
        now = datetime.now(UTC)
        submissions: dict[int, Submission] = {}
        for index, published, request in chunk:
            job_id = JobId(queue, batch_uuid(first, index))
            try:
                submission = to_submission(published, request, job_id, now=now)
                if len(submission.input) > self._settings.max_body_size:
                    raise too_large(self._settings.max_body_size)
            except Problem as problem:
                batch.refuse(index, published.info.type, problem)
            else:
                submissions[index] = submission
        batch.ids.update((index, submission.id) for index, submission in submissions.items())
        return submissions

    async def _send_chunk(self, queue: str, submissions: Mapping[int, Submission], batch: _Batch) -> None:
        bound = self._settings.bound(queue)
        call = submit_each(self._store.keys, queue, list(submissions.values()), bound=bound)
        results = await self._store.run(call)
        full = QueueBusy(str(QueueFull(queue, bound)))
        repeated: list[tuple[int, Submission]] = []
        for (index, submission), submitted in zip(submissions.items(), results, strict=True):
            if submitted is None:
                batch.refuse(index, submission.info.type, full)
            elif submitted.created:
                status = JobStatus.SCHEDULED if submission.run_at else JobStatus.QUEUED
                batch.take(index, submission, BatchOutcome.ACCEPTED, status)
            else:
                repeated.append((index, submission))
        if repeated:
            await self._read_repeated(queue, repeated, batch)

    async def _read_repeated(self, queue: str, repeated: Sequence[tuple[int, Submission]], batch: _Batch) -> None:
        uuids = [submission.id.uuid for _, submission in repeated]
        statuses = await self._store.run(read_statuses(self._store.keys, queue, uuids))
        for (index, submission), status in zip(repeated, statuses, strict=True):
            batch.take(index, submission, BatchOutcome.REPEATED, status)


class _Batch:
    """What becomes of a batch's jobs."""

    def __init__(self, size: int) -> None:
        self.results: list[Result | None] = [None] * size
        self.ids: dict[int, JobId] = {}
        self.counts: Counter[BatchOutcome] = Counter()
        self._problems: dict[int, Problem] = {}

    def take(self, index: int, submission: Submission, outcome: BatchOutcome, status: JobStatus | None) -> None:
        job_id = str(submission.id)
        self._settle(index, outcome, {"id": job_id, "status": status, "urls": job_urls(job_id)})
        metrics.SUBMITS.labels(submission.info.type, outcome.value).inc()

    def refuse(self, index: int, job_type: str, problem: Problem, outcome: BatchOutcome = BatchOutcome.REFUSED) -> None:
        document = problem.document()
        if document.errors:
            document.errors = [_below(index, error) for error in document.errors]
        found: Result = {"problem": document.model_dump(mode="json", exclude_none=True)}
        if outcome is BatchOutcome.UNCONFIRMED and index in self.ids:
            job_id = str(self.ids[index])
            found |= {"id": job_id, "urls": job_urls(job_id)}
        self._settle(index, outcome, found)
        self._problems[index] = problem
        metrics.SUBMITS.labels(job_type, problem.slug).inc()

    def give_up(self, checked: Sequence[Checked], problem: Problem, outcome: BatchOutcome) -> None:
        for each in checked:
            if self.results[each.index] is None:
                self.refuse(each.index, each.published.info.type, problem, outcome)

    def answer(self) -> bytes:
        """Return the JSON of a BatchView; raise the problem instead if no job was accepted."""
        if not self.counts.keys() & {BatchOutcome.ACCEPTED, BatchOutcome.REPEATED}:
            raise self._refusal()
        counts = {outcome.value: self.counts[outcome] for outcome in BatchOutcome}
        return orjson.dumps({"counts": counts, "results": self.results})

    def _refusal(self) -> Problem:
        passing = next((each for each in self._problems.values() if each.status == QueueBusy.status), None)
        if passing is not None:
            return type(passing)(passing.detail, results=[*self.results])
        found = [error for result in self.results if result for error in result["problem"].get("errors", ())]
        return InvalidBatch(errors=[FieldError(**error) for error in found[:MAX_ERRORS]], results=[*self.results])

    def _settle(self, index: int, outcome: BatchOutcome, found: Result) -> None:
        self.results[index] = {"outcome": outcome.value, **found}
        self.counts[outcome] += 1


def _items(document: JsonValue) -> list[JsonValue]:
    """Return the jobs of a batch. Raises InvalidRequest."""
    if not isinstance(document, dict) or not isinstance(items := document.get("items"), list):
        raise InvalidRequest(errors=[FieldError(pointer="/items", detail="Give a list of jobs.")])
    unknown = [name for name in document if name != "items"]
    if unknown:
        detail = "There is no such field."
        raise InvalidRequest(errors=[FieldError(pointer=pointer([name]), detail=detail) for name in unknown])
    if not 1 <= len(items) <= MAX_ITEMS:
        detail = f"Give 1 to {MAX_ITEMS} jobs; these are {len(items)}."
        raise InvalidRequest(errors=[FieldError(pointer="/items", detail=detail)])
    return items


def _chunks(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]


def _below(index: int, error: FieldError) -> FieldError:
    return FieldError(pointer=f"/items/{index}{error.pointer or ''}", detail=error.detail)
