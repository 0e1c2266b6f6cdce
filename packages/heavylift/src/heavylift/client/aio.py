"""The client that awaits: `sync.py` with `await`, on the same flows, cursor and download."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import aclosing
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import httpx
from httpx_sse import EventSource
from pydantic import BaseModel, JsonValue

from heavylift.client.connection import http_options, timeouts
from heavylift.client.download import Download, find_artifact
from heavylift.client.errors import ApiUnavailable, ClientError
from heavylift.client.events import EventCursor
from heavylift.client.files import read_blocks_async
from heavylift.client.flow import Flow, Pause, Send, problem_in
from heavylift.client.new_job import NewJob
from heavylift.client.operations import Operations, artifact_path
from heavylift.client.views import Batch, JobEvent, JobPage, JobView, PoolView, QueueView, Replayed, ScheduleView
from heavylift.model import JobStatus, JobTypeInfo, Priority

T = TypeVar("T")


class AsyncClient:
    """Heavylift's API for asyncio. The parameters and errors are those of `Client`.

    Examples
    --------
    >>> async with AsyncClient("http://127.0.0.1:8000") as client:  # doctest: +SKIP
    ...     job = await client.upload("film.mov")
    ...     job = await client.wait(job.id)
    ...     await client.download(job.id, "720p.mp4", "film-720p.mp4")

    """

    def __init__(self, url: str = "http://127.0.0.1:8000", api_key: str | None = None, *, retries: int = 5) -> None:
        self._http = httpx.AsyncClient(**http_options(url, api_key))
        self._operations = Operations(url, retries=retries)

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def submit(
        self,
        job_type: str,
        job_input: BaseModel | JsonValue,
        *,
        priority: Priority | None = None,
        run_at: datetime | None = None,
        delay: timedelta | None = None,
        expires_at: datetime | None = None,
        idempotency_key: str | None = None,
    ) -> JobView:
        """Submit a job and return it as accepted."""
        return await self._run(
            self._operations.submit(
                job_type,
                job_input,
                priority=priority,
                run_at=run_at,
                delay=delay,
                expires_at=expires_at,
                idempotency_key=idempotency_key,
            )
        )

    async def submit_batch(
        self, jobs: Iterable[NewJob | Mapping[str, JsonValue]], *, idempotency_key: str | None = None
    ) -> Batch:
        """Submit up to 10,000 jobs in one request, each a NewJob or what `POST /v1/jobs` takes.

        What is wrong with one keeps no other back: look at `Batch.refused`. Jobs that the API could not confirm are
        sent again, under the same key.
        """
        return await self._run(self._operations.submit_batch(jobs, idempotency_key=idempotency_key))

    async def upload(
        self,
        path: str | Path,
        job_type: str = "video.transcode",
        *,
        job_input: BaseModel | JsonValue = None,
        idempotency_key: str | None = None,
        on_sent: Callable[[int], None] | None = None,
    ) -> JobView:
        """Stream a file to the API and submit a job on it."""
        flow = self._operations.upload(
            Path(path), job_type=job_type, job_input=job_input, idempotency_key=idempotency_key, on_sent=on_sent
        )
        return await self._run(flow)

    async def get(self, job_id: str) -> JobView:
        """Return a job. Raises NotFound."""
        return await self._run(self._operations.get(job_id))

    async def list(
        self,
        *,
        status: JobStatus | None = None,
        job_type: str | None = None,
        queue: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> JobPage:
        """Return the newest jobs, and the cursor of those before them."""
        return await self._run(
            self._operations.list(status=status, job_type=job_type, queue=queue, limit=limit, cursor=cursor)
        )

    async def cancel(self, job_id: str) -> JobView:
        """Cancel a waiting job, or ask a running one to stop. Raises NotFound, and Conflict if it had ended."""
        return await self._run(self._operations.cancel(job_id))

    async def replay(self, job_id: str) -> JobView:
        """Queue a failed job again, with all its attempts. Raises NotFound, and Conflict if it has not failed."""
        return await self._run(self._operations.replay(job_id))

    async def replay_jobs(
        self,
        *,
        job_type: str | None = None,
        queue: str | None = None,
        error: str | None = None,
        failed_after: datetime | None = None,
        failed_before: datetime | None = None,
        all_failed: bool = False,
        limit: int = 1000,
        cursor: str | None = None,
    ) -> Replayed:
        """Queue the failed jobs again that fit every criterion given, up to `limit`. `error` is their error's type."""
        return await self._run(
            self._operations.replay_jobs(
                job_type=job_type,
                queue=queue,
                error=error,
                failed_after=failed_after,
                failed_before=failed_before,
                all_failed=all_failed,
                limit=limit,
                cursor=cursor,
            )
        )

    async def queues(self) -> builtins.list[QueueView]:
        """Return what each queue holds, by name."""
        return await self._run(self._operations.queues())

    async def pools(self) -> builtins.list[PoolView]:
        """Return what each pool of workers does and why, by name. None where no controller scales."""
        return await self._run(self._operations.pools())

    async def pool(self, name: str) -> PoolView:
        """Return a pool with the record of its last decision. Raises NotFound."""
        return await self._run(self._operations.pool(name))

    async def hold_pool(
        self, name: str, replicas: int, *, until: datetime | None = None, lasting: timedelta | None = None
    ) -> PoolView:
        """Hold a pool at a number of workers until it is released, until a moment, or for so long. Raises NotFound.

        What is returned was decided before: the controller follows a second or two later.
        """
        return await self._run(self._operations.hold_pool(name, replicas, until=until, lasting=lasting))

    async def release_pool(self, name: str) -> PoolView:
        """End a hold: the number of workers is decided again. Raises NotFound."""
        return await self._run(self._operations.order_pool(name, "release"))

    async def pause_pool(self, name: str) -> PoolView:
        """Leave a pool's number of workers as it is, whatever the queues say. Raises NotFound."""
        return await self._run(self._operations.order_pool(name, "pause"))

    async def resume_pool(self, name: str) -> PoolView:
        """End a pause. Raises NotFound."""
        return await self._run(self._operations.order_pool(name, "resume"))

    async def freeze_pool_in(self, name: str) -> PoolView:
        """Take no workers away from a pool; more may come. Raises NotFound."""
        return await self._run(self._operations.order_pool(name, "freeze-in"))

    async def freeze_pool_out(self, name: str) -> PoolView:
        """Add no workers to a pool; idle ones may go. Raises NotFound."""
        return await self._run(self._operations.order_pool(name, "freeze-out"))

    async def thaw_pool(self, name: str) -> PoolView:
        """End a freeze. Raises NotFound."""
        return await self._run(self._operations.order_pool(name, "thaw"))

    async def schedule(
        self,
        name: str,
        job_type: str,
        job_input: BaseModel | JsonValue,
        *,
        cron: str,
        time_zone: str = "UTC",
        priority: Priority | None = None,
        start_within: timedelta | None = None,
    ) -> ScheduleView:
        """Set a recurring job, new or in place of the one of this name; return it with its coming runs."""
        return await self._run(
            self._operations.schedule(
                name,
                job_type,
                job_input,
                cron=cron,
                time_zone=time_zone,
                priority=priority,
                start_within=start_within,
            )
        )

    async def schedules(self) -> builtins.list[ScheduleView]:
        """Return the recurring jobs, by name."""
        return await self._run(self._operations.schedules())

    async def get_schedule(self, name: str) -> ScheduleView:
        """Return a recurring job with its coming runs. Raises NotFound."""
        return await self._run(self._operations.get_schedule(name))

    async def unschedule(self, name: str) -> None:
        """Remove a recurring job; jobs it has submitted stay. Raises NotFound."""
        await self._run(self._operations.unschedule(name))

    async def job_types(self) -> dict[str, JobTypeInfo]:
        """Return what the workers can run, by name."""
        return await self._run(self._operations.job_types())

    async def events(self, job_id: str, *, after: int = 0) -> AsyncGenerator[JobEvent]:
        """Yield a job's history from the entry after `after` on, then what happens, until the job has ended.

        A broken stream is resumed where it broke: no entry is missing and none comes twice. Progress comes between
        the entries, as `event == "progress"`.
        """
        cursor = EventCursor(job_id, base_url=self._operations.base_url, after=after)
        while not cursor.ended:
            try:
                async with aclosing(self._stream(cursor)) as stream:
                    async for event in stream:
                        yield event
                if cursor.in_doubt:
                    await asyncio.sleep(cursor.resolve((await self.get(job_id)).status))
            except (httpx.TransportError, ClientError) as error:
                await asyncio.sleep(cursor.broken(error))

    async def wait(self, job_id: str) -> JobView:
        """Return the job once it has ended, however it ended. Use `asyncio.timeout` for a limit."""
        async for _ in self.events(job_id):
            pass
        return await self.get(job_id)

    async def download(self, job_id: str, name: str, target: str | Path) -> Path:
        """Stream an artifact to a file (or into a folder) and return its path.

        The file appears when it is complete and its SHA-256 is that of the job's record. A broken download is
        continued, also by a later call.
        """
        artifact = find_artifact((await self.get(job_id)).artifacts, job_id, name)
        operations = self._operations
        with Download(artifact, Path(target), base_url=operations.base_url, retries=operations.retries) as download:
            while not download.complete:
                try:
                    await self._fetch(artifact_path(job_id, name), download)
                except (httpx.TransportError, ApiUnavailable) as error:
                    await asyncio.sleep(download.broken(error))
            return download.finish()

    async def _fetch(self, path: str, download: Download) -> None:
        async with self._http.stream("GET", path, headers=download.headers()) as response:
            if response.is_error:
                await response.aread()
                raise problem_in(response)
            download.begin(response)
            async for chunk in response.aiter_bytes():
                await asyncio.to_thread(download.write, chunk)
            download.end()

    async def _stream(self, cursor: EventCursor) -> AsyncGenerator[JobEvent]:
        headers = cursor.connect()
        timeout = timeouts(read=cursor.read_timeout)
        async with self._http.stream("GET", cursor.path, headers=headers, timeout=timeout) as response:
            if response.is_error:
                await response.aread()
                raise problem_in(response)
            async for received in EventSource(response).aiter_sse():
                event = cursor.take(received)
                if event is not None:
                    yield event
                if cursor.ended or cursor.overdue:
                    return

    async def _run(self, flow: Flow[T]) -> T:
        try:
            step = next(flow)
            while True:
                if isinstance(step, Pause):
                    await asyncio.sleep(step.seconds)
                    step = flow.send(None)
                    continue
                try:
                    response = await self._send(step)
                except httpx.TransportError as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(response)
        except StopIteration as end:
            return end.value

    async def _send(self, step: Send) -> httpx.Response:
        content = read_blocks_async(step.file, step.on_sent) if step.file else None
        return await self._http.request(
            step.method, step.path, params=step.params, headers=step.headers, json=step.json, content=content
        )
