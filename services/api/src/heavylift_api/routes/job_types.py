"""/v1/job-types"""

from __future__ import annotations

from fastapi import APIRouter

from heavylift_api import errors
from heavylift_api.deps import CallerDep, ServicesDep
from heavylift_api.openapi import problems
from heavylift_api.query import ONLY_KNOWN_PARAMETERS
from heavylift_api.views import JobTypeList

router = APIRouter(prefix="/v1/job-types", tags=["job types"])


@router.get(
    "",
    operation_id="list_job_types",
    dependencies=ONLY_KNOWN_PARAMETERS,
    responses=problems(errors.InvalidRequest, errors.StoreGone),
)
async def list_job_types(services: ServicesDep, _caller: CallerDep) -> JobTypeList:
    """List what the workers serve, with the schemas of input and output."""
    return JobTypeList(items=await services.types.all())
