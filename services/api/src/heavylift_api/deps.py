"""What routes ask for, as annotated names."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path
from starlette.requests import Request

from heavylift.ids import JobId, parse_job_id
from heavylift_api.auth import authenticate
from heavylift_api.services import Services


def services_of(request: Request) -> Services:
    """Return the services of the application that serves the request."""
    return request.app.state.services


# FastAPI runs dependencies that are not `async` in a thread.
async def _services(request: Request) -> Services:
    return services_of(request)


async def _caller(request: Request) -> str:
    return authenticate(request)


async def _job_id(job_id: Annotated[str, Path(examples=["video-0190f3a0-7b1e-7c33-8a55-2f1c9d0e4b6a"])]) -> JobId:
    return parse_job_id(job_id)


ServicesDep = Annotated[Services, Depends(_services)]

JobIdDep = Annotated[JobId, Depends(_job_id)]
"""The job id in the path. Raises InvalidJobId."""

CallerDep = Annotated[str, Depends(_caller)]
"""The name of the API key's owner. Raises Unauthorized or ForeignOrigin."""
