"""The API's operations as flows: which request each of them sends and what it makes of the answer."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import httpx
import orjson
from pydantic import BaseModel, JsonValue

from heavylift.client.flow import Flow, Send, exchange
from heavylift.client.views import JobPage, JobView
from heavylift.model import JobStatus, JobTypeInfo, Priority


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
        body = {
            "type": job_type,
            "input": _plain(job_input),
            "priority": priority.name.lower() if priority is not None else None,
            "run_at": run_at.isoformat() if run_at else None,
            "delay_seconds": delay.total_seconds() if delay else None,
            "expires_at": expires_at.isoformat() if expires_at else None,
        }
        request = Send(
            "POST",
            "/v1/jobs",
            headers=_idempotency(idempotency_key),
            json={name: value for name, value in body.items() if value is not None},
        )
        response = yield from self._exchange(request)
        return JobView.model_validate_json(response.content)

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


def artifact_path(job_id: str, name: str) -> str:
    """Return the path of a job's artifact, whose name may hold slashes."""
    return f"{job_path(job_id)}/artifacts/{quote(name)}"


def _idempotency(key: str | None) -> dict[str, str]:
    # A string of the structured fields (RFC 8941), as the Idempotency-Key draft wants it.
    return {"Idempotency-Key": f'"{key or uuid.uuid4()}"'}


def _plain(value: BaseModel | JsonValue) -> JsonValue:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value


def _to_json(value: BaseModel | JsonValue) -> str:
    return orjson.dumps(_plain(value)).decode()
