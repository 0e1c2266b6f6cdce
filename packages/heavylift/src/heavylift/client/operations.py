"""The API's operations as flows: which request each of them sends and what it makes of the answer."""

from __future__ import annotations

import builtins
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import httpx
import orjson
from pydantic import BaseModel, JsonValue

from heavylift.client.errors import ApiUnavailable, ApiUnreachable
from heavylift.client.flow import Flow, Pause, Send, backoff, exchange
from heavylift.client.new_job import NewJob
from heavylift.client.views import Batch, JobPage, JobView, PoolView, QueueView, Replayed, ScheduleView
from heavylift.constants import IDEMPOTENCY_HEADER
from heavylift.model import JobStatus, JobTypeInfo, Priority

_REDIS_BACK = 1.0
"""Seconds: a Redis that fell silent in the middle of a batch is not asked again sooner."""


class Operations:
    """Flows for one API."""

    def __init__(self, base_url: str, *, retries: int) -> None:
        self.base_url = base_url
        self.retries = retries

    def submit(
        self,
        job_type: str,
        job_input: BaseModel | JsonValue,
        *,
        priority: Priority | None,
        run_at: datetime | None,
        delay: timedelta | None,
        expires_at: datetime | None,
        idempotency_key: str | None,
    ) -> Flow[JobView]:
        """POST /v1/jobs."""
        body = _given(
            type=job_type,
            input=_plain(job_input),
            priority=_rank(priority),
            run_at=_moment(run_at),
            delay_seconds=delay.total_seconds() if delay else None,
            expires_at=_moment(expires_at),
        )
        request = Send("POST", "/v1/jobs", headers=_idempotency(idempotency_key), json=body)
        response = yield from self._exchange(request)
        return JobView.model_validate_json(response.content)

    def submit_batch(
        self, jobs: Iterable[NewJob | Mapping[str, JsonValue]], *, idempotency_key: str | None
    ) -> Flow[Batch]:
        """POST /v1/jobs:batch, again under its key while the API could not confirm some of the jobs."""
        items = [_item(job) for job in jobs]
        request = Send("POST", "/v1/jobs:batch", headers=_idempotency(idempotency_key), json={"items": items})
        batch: Batch | None = None
        for delay in (*backoff(self.retries), None):
            try:
                response = yield from self._exchange(request)
            except (ApiUnavailable, ApiUnreachable):
                if batch is None:
                    raise
                return batch  # what is known of it is more than the error says
            batch = Batch.model_validate_json(response.content)
            if not batch.counts.get("unconfirmed") or delay is None:
                break
            yield Pause(max(delay, _REDIS_BACK))
        assert batch is not None
        return batch

    def upload(
        self,
        path: Path,
        *,
        job_type: str,
        job_input: BaseModel | JsonValue,
        idempotency_key: str | None,
        on_sent: Callable[[int], None] | None,
    ) -> Flow[JobView]:
        """POST /upload, with the file as the body."""
        params = {"type": job_type, "filename": path.name}
        if job_input is not None:
            params["input"] = _to_json(job_input)
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(path.stat().st_size)}
        request = Send(
            "POST",
            "/upload",
            params=params,
            headers=headers | _idempotency(idempotency_key),
            file=path,
            on_sent=on_sent,
        )
        response = yield from self._exchange(request)
        return JobView.model_validate_json(response.content)

    def get(self, job_id: str) -> Flow[JobView]:
        """GET /v1/jobs/{id}."""
        response = yield from self._exchange(Send("GET", job_path(job_id)))
        return JobView.model_validate_json(response.content)

    def list(
        self, *, status: JobStatus | None, job_type: str | None, queue: str | None, limit: int, cursor: str | None
    ) -> Flow[JobPage]:
        """GET /v1/jobs."""
        chosen = {"status": status, "type": job_type, "queue": queue, "cursor": cursor}
        params = {name: value for name, value in chosen.items() if value is not None} | {"limit": str(limit)}
        response = yield from self._exchange(Send("GET", "/v1/jobs", params=params))
        return JobPage.model_validate_json(response.content)

    def cancel(self, job_id: str) -> Flow[JobView]:
        """POST /v1/jobs/{id}:cancel."""
        response = yield from self._exchange(Send("POST", f"{job_path(job_id)}:cancel"))
        return JobView.model_validate_json(response.content)

    def replay(self, job_id: str) -> Flow[JobView]:
        """POST /v1/jobs/{id}:replay."""
        response = yield from self._exchange(Send("POST", f"{job_path(job_id)}:replay", repeatable=False))
        return JobView.model_validate_json(response.content)

    def replay_jobs(
        self,
        *,
        job_type: str | None,
        queue: str | None,
        error: str | None,
        failed_after: datetime | None,
        failed_before: datetime | None,
        all_failed: bool,
        limit: int,
        cursor: str | None,
    ) -> Flow[Replayed]:
        """POST /v1/jobs:replay."""
        body = _given(
            type=job_type,
            queue=queue,
            error=error,
            failed_after=_moment(failed_after),
            failed_before=_moment(failed_before),
            all=all_failed or None,
            limit=limit,
            cursor=cursor,
        )
        response = yield from self._exchange(Send("POST", "/v1/jobs:replay", json=body, repeatable=False))
        return Replayed.model_validate_json(response.content)

    def queues(self) -> Flow[builtins.list[QueueView]]:
        """GET /v1/queues."""
        response = yield from self._exchange(Send("GET", "/v1/queues"))
        return [QueueView.model_validate(item) for item in response.json()["items"]]

    def pools(self) -> Flow[builtins.list[PoolView]]:
        """GET /v1/pools."""
        response = yield from self._exchange(Send("GET", "/v1/pools"))
        return [PoolView.model_validate(item) for item in response.json()["items"]]

    def pool(self, name: str) -> Flow[PoolView]:
        """GET /v1/pools/{name}."""
        response = yield from self._exchange(Send("GET", _pool_path(name)))
        return PoolView.model_validate_json(response.content)

    def hold_pool(
        self, name: str, replicas: int, *, until: datetime | None, lasting: timedelta | None
    ) -> Flow[PoolView]:
        """POST /v1/pools/{name}:hold."""
        body = _given(
            **{"replicas": replicas, "until": _moment(until), "for": lasting.total_seconds() if lasting else None}
        )
        response = yield from self._exchange(Send("POST", f"{_pool_path(name)}:hold", json=body))
        return PoolView.model_validate_json(response.content)

    def order_pool(self, name: str, action: str) -> Flow[PoolView]:
        """POST /v1/pools/{name}:{action}, for what needs no body."""
        response = yield from self._exchange(Send("POST", f"{_pool_path(name)}:{action}"))
        return PoolView.model_validate_json(response.content)

    def schedule(
        self,
        name: str,
        job_type: str,
        job_input: BaseModel | JsonValue,
        *,
        cron: str,
        time_zone: str,
        priority: Priority | None,
        start_within: timedelta | None,
    ) -> Flow[ScheduleView]:
        """PUT /v1/schedules/{name}."""
        body = _given(
            type=job_type,
            input=_plain(job_input),
            cron=cron,
            time_zone=time_zone,
            priority=_rank(priority),
            start_within_seconds=start_within.total_seconds() if start_within else None,
        )
        response = yield from self._exchange(Send("PUT", _schedule_path(name), json=body))
        return ScheduleView.model_validate_json(response.content)

    def schedules(self) -> Flow[builtins.list[ScheduleView]]:
        """GET /v1/schedules."""
        response = yield from self._exchange(Send("GET", "/v1/schedules"))
        return [ScheduleView.model_validate(item) for item in response.json()["items"]]

    def get_schedule(self, name: str) -> Flow[ScheduleView]:
        """GET /v1/schedules/{name}."""
        response = yield from self._exchange(Send("GET", _schedule_path(name)))
        return ScheduleView.model_validate_json(response.content)

    def unschedule(self, name: str) -> Flow[None]:
        """DELETE /v1/schedules/{name}."""
        yield from self._exchange(Send("DELETE", _schedule_path(name), repeatable=False))

    def job_types(self) -> Flow[dict[str, JobTypeInfo]]:
        """GET /v1/job-types."""
        response = yield from self._exchange(Send("GET", "/v1/job-types"))
        answer = response.json()
        items = answer["items"] if isinstance(answer, dict) else answer
        infos = [JobTypeInfo.model_validate(item) for item in items]
        return {info.type: info for info in infos}

    def _exchange(self, request: Send) -> Flow[httpx.Response]:
        return exchange(request, base_url=self.base_url, retries=self.retries)


def job_path(job_id: str) -> str:
    """Return the path of a job."""
    return f"/v1/jobs/{quote(job_id, safe='')}"


def _pool_path(name: str) -> str:
    return f"/v1/pools/{quote(name, safe='')}"


def _schedule_path(name: str) -> str:
    return f"/v1/schedules/{quote(name, safe='')}"


def artifact_path(job_id: str, name: str) -> str:
    """Return the path of a job's artifact, whose name may hold slashes."""
    return f"{job_path(job_id)}/artifacts/{quote(name)}"


def _idempotency(key: str | None) -> dict[str, str]:
    # A string of the structured fields (RFC 8941), as the Idempotency-Key draft wants it.
    return {IDEMPOTENCY_HEADER: f'"{key or uuid.uuid4()}"'}


def _given(**fields: JsonValue) -> dict[str, JsonValue]:
    return {name: value for name, value in fields.items() if value is not None}


def _item(job: NewJob | Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    if not isinstance(job, NewJob):
        return dict(job)
    return _given(
        type=job.type,
        input=_plain(job.input),
        priority=_rank(job.priority),
        run_at=_moment(job.run_at),
        delay_seconds=job.delay.total_seconds() if job.delay else None,
        expires_at=_moment(job.expires_at),
    )


def _rank(priority: Priority | None) -> str | None:
    return priority.name.lower() if priority is not None else None


def _moment(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None


def _plain(value: BaseModel | JsonValue) -> JsonValue:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value


def _to_json(value: BaseModel | JsonValue) -> str:
    return orjson.dumps(_plain(value)).decode()
