"""From an uploaded file to an accepted job: streamed into artifact storage, then submitted.

The job's id is made first, so that the file lies with the job's other files from the start, and so that the submit can
be repeated. Whatever ends the upload early takes the file along. One case cannot be decided at once: Redis fell silent
during the submit, which may or may not have come through. Then the file stays until Redis can be asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import orjson
import structlog
from pydantic import JsonValue

from heavylift.artifacts import ArtifactStore, job_key
from heavylift.errors import ArtifactStorageUnavailable, StoreFull, StoreUnavailable
from heavylift.ids import JobId, new_job_id
from heavylift.model import Artifact, Job
from heavylift.tasks import end
from heavylift_api import metrics
from heavylift_api.admission import Admission
from heavylift_api.body import parse_json, too_large
from heavylift_api.errors import (
    FieldError,
    InvalidInput,
    InvalidJson,
    InvalidRequest,
    KeyReused,
    TakesNoFile,
    TooManyUploads,
    UnknownJob,
    UnknownJobType,
)
from heavylift_api.idempotency import Idempotency, RequestKey, UploadClaim
from heavylift_api.incoming import Incoming
from heavylift_api.job_types import JobTypes, PublishedType
from heavylift_api.jobs import Jobs
from heavylift_api.pointers import pointer
from heavylift_api.submission import (
    AcceptedJob,
    Counted,
    JobRequest,
    Submissions,
    as_accepted,
    check_input,
    refusals_counted,
)

DEFAULT_TYPE = "video.transcode"

SUBMIT_PATIENCE = 10.0
"""Seconds the submit behind a complete upload is tried again: sending gigabytes twice takes longer."""

RETRY_PAUSE = 0.5

SETTLE_PAUSE = 5.0
"""Seconds between two questions to a silent Redis whether it took a job."""

CLEANUP_PERIOD = 8.0
"""Seconds: storage takes up to 5 to abort an upload."""

MAX_NAME = 120
"""Characters of an uploaded file's name."""

log = structlog.get_logger()


class Uploads:
    """Takes files in, up to a number at the same time."""

    def __init__(
        self,
        artifacts: ArtifactStore,
        types: JobTypes,
        submissions: Submissions,
        jobs: Jobs,
        idempotency: Idempotency,
        *,
        admission: Admission,
        limit: int,
        bound: int,
    ) -> None:
        self._idempotency = idempotency
        self._artifacts = artifacts
        self._types = types
        self._admission = admission
        self._submissions = submissions
        self._jobs = jobs
        self._limit = limit
        self._bound = bound
        self._open = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._settling: set[asyncio.Task[None]] = set()

    async def receive(self, incoming: Incoming, key: RequestKey | None = None) -> AcceptedJob:
        """Store the file and submit its job; with a key, once.

        Raises a Problem, QueueFull, StoreUnavailable or ArtifactStorageUnavailable.
        """
        with refusals_counted() as counted:
            async with self._place(), self._idempotency.alone(key) if key else contextlib.nullcontext() as claim:
                return await self._receive(incoming, key, claim, counted)

    async def close(self) -> None:
        """Wait until uploads that were cut off have removed their files; leave those that only Redis could judge."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLEANUP_PERIOD):
                await self._idle.wait()
        await end(*self._settling)

    async def _receive(
        self, incoming: Incoming, key: RequestKey | None, claim: UploadClaim | None, counted: Counted
    ) -> AcceptedJob:
        await incoming.begin()
        published = await self._type_of(incoming)
        counted.type = published.info.type
        if published.info.file_field is None:
            raise TakesNoFile
        job_id, done = await self._job_of(incoming, published, key)
        if done is not None:
            return await _repeated(incoming, done)
        await self._admission.check(published.info.queue)
        place = job_key(str(job_id), "input", safe_name(incoming.filename))
        _input_of(incoming, published, key=place)  # what is wrong is said before the file is sent
        async with self._discarded_on_error(job_id, claim):
            artifact = await self._store_file(incoming, place)
            return await self._submit(incoming, published, job_id, artifact)

    async def _type_of(self, incoming: Incoming) -> PublishedType:
        """Return the job type that the upload is for. Raises UnknownJobType."""
        given = incoming.fields.get("type")
        try:
            return await self._types.get(DEFAULT_TYPE if given is None else given)
        except UnknownJobType as problem:
            known = problem.members["known_types"]
            detail, what = problem.detail, "Unknown job type."
            if given is None and known:
                what = incoming.how_to_name_type
                detail = f"No job type was given, and no worker has published the default, {DEFAULT_TYPE!r}. {what}"
            raise UnknownJobType(detail, errors=[incoming.error("type", what)], known_types=known) from None

    async def _job_of(
        self, incoming: Incoming, published: PublishedType, key: RequestKey | None
    ) -> tuple[JobId, Job | None]:
        """Return the id for this upload's job, and the job if a request with the same key made it already."""
        if key is None:
            return new_job_id(published.info.queue), None
        payload = orjson.dumps(["upload", published.info.type, incoming.filename, incoming.fields.get("input")])
        job_id = await self._idempotency.job_id(key, payload, published.info)
        try:
            return job_id, await self._jobs.read(job_id)
        except UnknownJob:
            return job_id, None

    async def _store_file(self, incoming: Incoming, key: str) -> Artifact:
        content = self._counted(incoming.content())
        stored = await self._artifacts.write(key, content, content_type=incoming.content_type)
        await incoming.finish()
        return Artifact(
            name=key.rpartition("/")[2],
            key=key,
            size=stored.size,
            sha256=stored.sha256,
            content_type=incoming.content_type,
            role="input",
        )

    async def _submit(
        self, incoming: Incoming, published: PublishedType, job_id: JobId, artifact: Artifact
    ) -> AcceptedJob:
        if incoming.fields.get("type", published.info.type) != published.info.type:
            raise InvalidRequest(errors=[FieldError(pointer="/type", detail="Send this field before `file`.")])
        complete = _input_of(incoming, published, key=artifact.key)
        request = JobRequest(type=published.info.type, input=complete)
        deadline = asyncio.get_running_loop().time() + SUBMIT_PATIENCE
        while True:
            try:
                return await self._submissions.accept(published, request, job_id=job_id, artifacts=[artifact])
            except StoreFull:  # memory comes back when jobs are forgotten: not soon
                raise
            except StoreUnavailable:
                if asyncio.get_running_loop().time() >= deadline:
                    raise
            await asyncio.sleep(RETRY_PAUSE)

    async def _counted(self, content: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in content:
            size += len(chunk)
            if size > self._limit:
                raise too_large(self._limit)
            metrics.UPLOADED.inc(len(chunk))
            yield chunk

    @asynccontextmanager
    async def _place(self) -> AsyncGenerator[None]:
        if self._open >= self._bound:
            raise TooManyUploads
        self._open += 1
        self._idle.clear()
        metrics.UPLOADS_OPEN.inc()
        try:
            yield
        finally:
            self._open -= 1
            if not self._open:
                self._idle.set()
            metrics.UPLOADS_OPEN.dec()

    @asynccontextmanager
    async def _discarded_on_error(self, job_id: JobId, claim: UploadClaim | None) -> AsyncGenerator[None]:
        """Remove the file of an upload that fails. A repetition puts its own in the same place: that one stays."""
        try:
            yield
        except StoreFull:  # Redis said so before it wrote anything
            await self._discard(job_id, claim)
            raise
        except StoreUnavailable:
            if claim is not None:
                log.warning("upload_outcome_unknown", job_id=str(job_id))
                raise
            task = asyncio.create_task(self._settle(job_id))
            self._settling.add(task)
            task.add_done_callback(self._settling.discard)
            raise
        except BaseException:
            await self._discard(job_id, claim)
            raise

    async def _settle(self, job_id: JobId) -> None:
        """Remove the files of a job that Redis did not take, once it can say so."""
        while True:
            await asyncio.sleep(SETTLE_PAUSE)
            with contextlib.suppress(StoreUnavailable):
                try:
                    await self._jobs.read(job_id)
                except UnknownJob:
                    await self._discard(job_id)
                return

    async def _discard(self, job_id: JobId, claim: UploadClaim | None = None) -> None:
        if claim is not None and not await claim.held():
            log.warning("upload_overtaken", job_id=str(job_id))
            return
        try:
            await asyncio.to_thread(self._artifacts.delete_prefix, job_key(str(job_id)))
        except ArtifactStorageUnavailable as error:
            log.warning("upload_not_discarded", job_id=str(job_id), reason=str(error))


def safe_name(filename: str | None) -> str:
    """Return an artifact name close to the file's own: its last path segment, in the characters that names may have.

    Examples
    --------
    >>> safe_name("C:\\\\films\\\\Ferien (1).mov")
    'Ferien_1_.mov'

    """
    last = re.split(r"[/\\]", filename or "")[-1]
    cleaned = re.sub(r"[^A-Za-z0-9._-]+", "_", last).lstrip(".")
    stem, dot, suffix = cleaned.rpartition(".")
    return f"{stem[: max(MAX_NAME - len(dot + suffix), 0)]}{dot}{suffix}"[:MAX_NAME] or "upload"


async def _repeated(incoming: Incoming, job: Job) -> AcceptedJob:
    """Return the job made before, if this is the same file. Raises KeyReused."""
    digest = hashlib.sha256()
    async for chunk in incoming.content():
        digest.update(chunk)
    await incoming.finish()
    if digest.hexdigest() not in {artifact.sha256 for artifact in job.artifacts if artifact.role == "input"}:
        raise KeyReused
    return as_accepted(job)


def _input_of(incoming: Incoming, published: PublishedType, *, key: str) -> dict[str, JsonValue]:
    """Return the job's input with the file's key in its place. Raises InvalidJson or InvalidInput."""
    field = published.info.file_field
    assert field is not None
    given = _parse_input(incoming)
    if not isinstance(given, dict):
        raise InvalidInput(errors=[FieldError(pointer="/input", detail="Give an object of the other input fields.")])
    if field in given:
        raise InvalidInput(errors=[FieldError(pointer=pointer(["input", field]), detail="The upload sets this field.")])
    complete = {**given, field: key}
    check_input(published, complete)
    return complete


def _parse_input(incoming: Incoming) -> JsonValue:
    try:
        return parse_json(incoming.fields.get("input", "{}").encode())
    except InvalidJson as problem:
        error = incoming.error("input", problem.detail or "")
        place = "query parameter" if error.parameter else "form's field"
        detail = f"The {place} `input` is not JSON: {problem.detail}"
        raise InvalidJson(detail, errors=[error], position=problem.members["position"]) from problem
