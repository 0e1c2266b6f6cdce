"""The client that blocks."""

from __future__ import annotations

import builtins
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
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
from heavylift.client.files import read_blocks
from heavylift.client.flow import Flow, Pause, Send, problem_in
from heavylift.client.new_job import NewJob
from heavylift.client.operations import Operations, artifact_path
from heavylift.client.views import Batch, JobEvent, JobPage, JobView, PoolView, QueueView, Replayed, ScheduleView
from heavylift.model import JobStatus, JobTypeInfo, Priority

T = TypeVar("T")


class Client:
    """Heavylift's API, blocking. Safe to share between threads.

    Parameters
    ----------
    url
        Where the API is.
    api_key
        Sent as a bearer token, where the API asks for one. By default that of the variable `HEAVYLIFT_API_KEY`.
    retries
        How often a request that may be repeated is tried again before the call fails.

    Examples
    --------
    >>> with Client("http://127.0.0.1:8000") as client:  # doctest: +SKIP
    ...     job = client.upload("film.mov")
    ...     job = client.wait(job.id)
    ...     client.download(job.id, "720p.mp4", "film-720p.mp4")

    """

    def __init__(self, url: str = "http://127.0.0.1:8000", api_key: str | None = None, *, retries: int = 5) -> None:
        self._http = httpx.Client(**http_options(url, api_key))
        self._operations = Operations(url, retries=retries)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def submit(
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
        """Submit a job and return it as accepted.

        Parameters
        ----------
        job_type, job_input
            A name of `job_types()`, and what its input schema asks for.
        priority
            Which waiting jobs of the queue go first.
        run_at, delay
            Do not start before that moment, or for so long.
        expires_at
            Do not start after that moment.
        idempotency_key
            Submits under one key make one job. By default each call makes a key for its own repetitions.

        Raises
        ------
        ClientError
            See `heavylift.client.errors`.

        """
        return self._run(
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

    def submit_batch(
        self, jobs: Iterable[NewJob | Mapping[str, JsonValue]], *, idempotency_key: str | None = None
    ) -> Batch:
        """Submit up to 10,000 jobs in one request, each a NewJob or what `POST /v1/jobs` takes.

        What is wrong with one keeps no other back: look at `Batch.refused`. Jobs that the API could not confirm are
        sent again, under the same key.

        Raises
        ------
        Refused
            None of them can be accepted; `problem.errors` says where the first ones are wrong.
        ClientError
            See `heavylift.client.errors`.

        """
        return self._run(self._operations.submit_batch(jobs, idempotency_key=idempotency_key))

    def upload(
        self,
        path: str | Path,
        job_type: str = "video.transcode",
        *,
        job_input: BaseModel | JsonValue = None,
        idempotency_key: str | None = None,
        on_sent: Callable[[int], None] | None = None,
    ) -> JobView:
        """Stream a file to the API and submit a job on it.

        Parameters
        ----------
        path, job_type
            The file, and a job type that takes one.
        job_input
            The other fields of the type's input.
        idempotency_key
            As for `submit`.
        on_sent
            Called with the number of bytes sent so far.

        Raises
        ------
        OSError
            The file cannot be read.
        ClientError
            See `heavylift.client.errors`.

        """
        flow = self._operations.upload(
            Path(path), job_type=job_type, job_input=job_input, idempotency_key=idempotency_key, on_sent=on_sent
        )
        return self._run(flow)

    def get(self, job_id: str) -> JobView:
        """Return a job. Raises NotFound."""
        return self._run(self._operations.get(job_id))

    def list(
        self,
        *,
        status: JobStatus | None = None,
        job_type: str | None = None,
        queue: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> JobPage:
        """Return the newest jobs, and the cursor of those before them."""
        return self._run(
            self._operations.list(status=status, job_type=job_type, queue=queue, limit=limit, cursor=cursor)
        )

    def cancel(self, job_id: str) -> JobView:
        """Cancel a waiting job, or ask a running one to stop. Raises NotFound, and Conflict if it had ended."""
        return self._run(self._operations.cancel(job_id))

    def replay(self, job_id: str) -> JobView:
        """Queue a failed job again, with all its attempts. Raises NotFound, and Conflict if it has not failed."""
        return self._run(self._operations.replay(job_id))

    def replay_jobs(
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
        """Queue the failed jobs again that fit every criterion given, up to `limit`. `error` is their error's type.

        Without any criterion only with `all_failed`.
        """
        return self._run(
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

    def queues(self) -> builtins.list[QueueView]:
        """Return what each queue holds, by name."""
        return self._run(self._operations.queues())

    def pools(self) -> builtins.list[PoolView]:
        """Return what each pool of workers does and why, by name. None where no controller scales."""
        return self._run(self._operations.pools())

    def pool(self, name: str) -> PoolView:
        """Return a pool with the record of its last decision. Raises NotFound."""
        return self._run(self._operations.pool(name))

    def hold_pool(
        self, name: str, replicas: int, *, until: datetime | None = None, lasting: timedelta | None = None
    ) -> PoolView:
        """Hold a pool at a number of workers until it is released, until a moment, or for so long. Raises NotFound.

        What is returned was decided before: the controller follows a second or two later.
        """
        return self._run(self._operations.hold_pool(name, replicas, until=until, lasting=lasting))

    def release_pool(self, name: str) -> PoolView:
        """End a hold: the number of workers is decided again. Raises NotFound."""
        return self._run(self._operations.order_pool(name, "release"))

    def pause_pool(self, name: str) -> PoolView:
        """Leave a pool's number of workers as it is, whatever the queues say. Raises NotFound."""
        return self._run(self._operations.order_pool(name, "pause"))

    def resume_pool(self, name: str) -> PoolView:
        """End a pause. Raises NotFound."""
        return self._run(self._operations.order_pool(name, "resume"))

    def freeze_pool_in(self, name: str) -> PoolView:
        """Take no workers away from a pool; more may come. Raises NotFound."""
        return self._run(self._operations.order_pool(name, "freeze-in"))

    def freeze_pool_out(self, name: str) -> PoolView:
        """Add no workers to a pool; idle ones may go. Raises NotFound."""
        return self._run(self._operations.order_pool(name, "freeze-out"))

    def thaw_pool(self, name: str) -> PoolView:
        """End a freeze. Raises NotFound."""
        return self._run(self._operations.order_pool(name, "thaw"))

    def schedule(
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
        """Set a recurring job, new or in place of the one of this name; return it with its coming runs.

        Parameters
        ----------
        cron, time_zone
            Five fields as in crontab(5), in a zone of the IANA time zone database.
        start_within
            A run that no worker has started for so long expires.

        """
        return self._run(
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

    def schedules(self) -> builtins.list[ScheduleView]:
        """Return the recurring jobs, by name."""
        return self._run(self._operations.schedules())

    def get_schedule(self, name: str) -> ScheduleView:
        """Return a recurring job with its coming runs. Raises NotFound."""
        return self._run(self._operations.get_schedule(name))

    def unschedule(self, name: str) -> None:
        """Remove a recurring job; jobs it has submitted stay. Raises NotFound."""
        self._run(self._operations.unschedule(name))

    def job_types(self) -> dict[str, JobTypeInfo]:
        """Return what the workers can run, by name."""
        return self._run(self._operations.job_types())

    def events(self, job_id: str, *, after: int = 0, timeout: float | None = None) -> Iterator[JobEvent]:
        """Yield a job's history from the entry after `after` on, then what happens, until the job has ended.

        A broken stream is resumed where it broke: no entry is missing and none comes twice. Progress comes between
        the entries, as `event == "progress"`.

        Raises
        ------
        WaitTimeout
            `timeout` seconds have passed.
        ClientError
            See `heavylift.client.errors`.

        """
        cursor = EventCursor(job_id, base_url=self._operations.base_url, after=after, timeout=timeout)
        while not cursor.ended:
            try:
                yield from self._stream(cursor)
                if cursor.in_doubt:
                    time.sleep(cursor.resolve(self.get(job_id).status))
            except (httpx.TransportError, ClientError) as error:
                time.sleep(cursor.broken(error))

    def wait(self, job_id: str, *, timeout: float | None = None) -> JobView:
        """Return the job once it has ended, however it ended. Raises WaitTimeout."""
        for _ in self.events(job_id, timeout=timeout):
            pass
        return self.get(job_id)

    def download(self, job_id: str, name: str, target: str | Path) -> Path:
        """Stream an artifact to a file (or into a folder) and return its path.

        The file appears when it is complete and its SHA-256 is that of the job's record. A broken download is
        continued, also by a later call.

        Raises
        ------
        OSError
            The file cannot be written.
        DownloadCorrupted
            Other bytes arrived than the record promises.
        ClientError
            See `heavylift.client.errors`.

        """
        artifact = find_artifact(self.get(job_id).artifacts, job_id, name)
        operations = self._operations
        with Download(artifact, Path(target), base_url=operations.base_url, retries=operations.retries) as download:
            while not download.complete:
                try:
                    self._fetch(artifact_path(job_id, name), download)
                except (httpx.TransportError, ApiUnavailable) as error:
                    time.sleep(download.broken(error))
            return download.finish()

    def _fetch(self, path: str, download: Download) -> None:
        with self._http.stream("GET", path, headers=download.headers()) as response:
            if response.is_error:
                response.read()
                raise problem_in(response)
            download.begin(response)
            for chunk in response.iter_bytes():
                download.write(chunk)
            download.end()

    def _stream(self, cursor: EventCursor) -> Iterator[JobEvent]:
        headers = cursor.connect()
        timeout = timeouts(read=cursor.read_timeout)
        with self._http.stream("GET", cursor.path, headers=headers, timeout=timeout) as response:
            if response.is_error:
                response.read()
                raise problem_in(response)
            for received in EventSource(response).iter_sse():
                event = cursor.take(received)
                if event is not None:
                    yield event
                if cursor.ended or cursor.overdue:
                    return

    def _run(self, flow: Flow[T]) -> T:
        try:
            step = next(flow)
            while True:
                if isinstance(step, Pause):
                    time.sleep(step.seconds)
                    step = flow.send(None)
                    continue
                try:
                    response = self._send(step)
                except httpx.TransportError as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(response)
        except StopIteration as end:
            return end.value

    def _send(self, step: Send) -> httpx.Response:
        content = read_blocks(step.file, step.on_sent) if step.file else None
        return self._http.request(
            step.method, step.path, params=step.params, headers=step.headers, json=step.json, content=content
        )
