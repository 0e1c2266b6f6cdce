"""/v1/jobs/{job_id}/artifacts"""

from __future__ import annotations

from fastapi import APIRouter, Response
from starlette.requests import Request

from heavylift_api import errors
from heavylift_api.deps import CallerDep, JobIdDep, ServicesDep
from heavylift_api.openapi import problems
from heavylift_api.query import ONLY_KNOWN_PARAMETERS
from heavylift_api.views import ArtifactList, ArtifactView

router = APIRouter(prefix="/v1/jobs/{job_id}/artifacts", tags=["artifacts"])

_BINARY = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}


@router.get(
    "",
    operation_id="list_artifacts",
    dependencies=ONLY_KNOWN_PARAMETERS,
    responses=problems(errors.UnknownJob, errors.InvalidRequest, errors.StoreGone),
)
async def list_artifacts(job_id: JobIdDep, services: ServicesDep, _caller: CallerDep) -> ArtifactList:
    """List a job's artifacts: those it came with, and once it has succeeded those it made."""
    job = await services.jobs.read(job_id)
    return ArtifactList(items=[ArtifactView.of(artifact, job.id) for artifact in job.artifacts])


@router.head("/{name:path}", include_in_schema=False)
@router.get(
    "/{name:path}",
    operation_id="get_artifact",
    response_class=Response,
    responses={
        200: {"description": "The artifact.", **_BINARY},
        206: {"description": "The part asked for with `Range`.", **_BINARY},
        304: {"description": "`If-None-Match` names the artifact as it is."},
    }
    | problems(
        errors.UnknownJob,
        errors.UnknownArtifact,
        errors.RangeNotSatisfiable,
        errors.StoreGone,
        errors.StorageGone,
    ),
)
async def get_artifact(
    job_id: JobIdDep, name: str, request: Request, services: ServicesDep, _caller: CallerDep
) -> Response:
    """Return an artifact, or a part of it."""
    return await services.downloads.open(job_id, name, request.headers, content=request.method == "GET")
