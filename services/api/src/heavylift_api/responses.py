"""Responses that more than one route gives."""

from __future__ import annotations

from starlette.responses import Response

from heavylift_api.submission import AcceptedJob
from heavylift_api.views import job_path

JSON = "application/json"


def accepted(job: AcceptedJob) -> Response:
    """Return 202 with the job and its place."""
    return Response(job.body, status_code=202, headers={"Location": job_path(job.id)}, media_type=JSON)
