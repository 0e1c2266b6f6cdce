"""A job's artifacts on their way out, streamed from storage."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse

from heavylift.artifacts import ArtifactStore
from heavylift.ids import JobId
from heavylift.model import Artifact
from heavylift_api.errors import UnknownArtifact
from heavylift_api.jobs import Jobs
from heavylift_api.ranges import Span, requested, unchanged


class Downloads:
    """Sends artifacts."""

    def __init__(self, artifacts: ArtifactStore, jobs: Jobs) -> None:
        self._artifacts = artifacts
        self._jobs = jobs

    async def open(self, job_id: JobId, name: str, headers: Mapping[str, str], *, content: bool) -> Response:
        """Return the answer to a GET with these headers, or with `content` False to a HEAD.

        Only names in the job's record lead to storage. Raises UnknownJob, UnknownArtifact, RangeNotSatisfiable,
        StoreUnavailable, ArtifactNotFound or ArtifactStorageUnavailable.
        """
        job = await self._jobs.read(job_id)
        artifact = next((artifact for artifact in job.artifacts if artifact.name == name), None)
        if artifact is None:
            raise UnknownArtifact
        etag = f'"{artifact.sha256}"'
        fixed = {"ETag": etag, "Cache-Control": "private, no-cache", "Accept-Ranges": "bytes"}
        if unchanged(headers, etag):
            return Response(status_code=304, headers=fixed)
        span = requested(headers, etag, artifact.size)
        described = fixed | _describe(artifact, span)
        status = 206 if span else 200
        if not content:
            return Response(status_code=status, headers=described, media_type=artifact.content_type)
        body = await self._begin(artifact, span or Span(0, artifact.size))
        return StreamingResponse(body, status_code=status, headers=described, media_type=artifact.content_type)

    async def _begin(self, artifact: Artifact, span: Span) -> AsyncIterator[bytes]:
        """Return the bytes. The first are read here, so that missing content is an answer and no broken stream."""
        chunks = self._artifacts.read(artifact.key, span.start, span.end)
        first = await anext(chunks, b"")

        async def body() -> AsyncIterator[bytes]:
            yield first
            async for chunk in chunks:
                yield chunk

        return body()


def _describe(artifact: Artifact, span: Span | None) -> dict[str, str]:
    start, end = span or Span(0, artifact.size)
    headers = {
        "Content-Length": str(end - start),
        # Users' files must not become pages or scripts of this origin.
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(artifact.name.rpartition('/')[2])}",
        "X-Content-Type-Options": "nosniff",
    }
    return headers | ({"Content-Range": f"bytes {start}-{end - 1}/{artifact.size}"} if span else {})
