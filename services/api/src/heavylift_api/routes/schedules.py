"""/v1/schedules"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response
from starlette.requests import Request

from heavylift_api import errors
from heavylift_api.body import JSON_REFUSALS, read_json
from heavylift_api.deps import CallerDep, ServicesDep
from heavylift_api.openapi import json_body, problems
from heavylift_api.query import ONLY_KNOWN_PARAMETERS
from heavylift_api.schedules import NAME, ScheduleRequest
from heavylift_api.views import ScheduleDetail, ScheduleList

router = APIRouter(prefix="/v1/schedules", tags=["schedules"])

NameDep = Annotated[str, Path(pattern=NAME, examples=["nightly-report"])]


@router.get(
    "",
    operation_id="list_schedules",
    dependencies=ONLY_KNOWN_PARAMETERS,
    responses=problems(errors.InvalidRequest, errors.StoreGone),
)
async def list_schedules(services: ServicesDep, _caller: CallerDep) -> ScheduleList:
    """List the recurring jobs by name."""
    return ScheduleList(items=await services.schedules.all())


@router.put(
    "/{name}",
    operation_id="set_schedule",
    openapi_extra=json_body(ScheduleRequest),
    responses={201: {"model": ScheduleDetail, "description": "There was no schedule of this name."}}
    | problems(
        *JSON_REFUSALS,
        errors.InvalidInput,
        errors.UnknownJobType,
        errors.StoreGone,
        errors.OutOfMemory,
    ),
)
async def set_schedule(
    name: NameDep, request: Request, response: Response, services: ServicesDep, _caller: CallerDep
) -> ScheduleDetail:
    """Set a recurring job, new or in place of the one of this name. Jobs it has submitted stay."""
    settings = services.settings
    document = await read_json(request, limit=settings.max_body_size, within=settings.body_timeout)
    schedule, is_new = await services.schedules.put(name, document)
    if is_new:
        response.status_code = 201
        response.headers["Location"] = f"/v1/schedules/{name}"
    return schedule


@router.get(
    "/{name}",
    operation_id="get_schedule",
    responses=problems(errors.UnknownSchedule, errors.InvalidRequest, errors.StoreGone),
)
async def get_schedule(name: NameDep, services: ServicesDep, _caller: CallerDep) -> ScheduleDetail:
    """Return a recurring job with its coming runs."""
    return await services.schedules.get(name)


@router.delete(
    "/{name}",
    status_code=204,
    operation_id="delete_schedule",
    responses=problems(errors.UnknownSchedule, errors.InvalidRequest, errors.StoreGone),
)
async def delete_schedule(name: NameDep, services: ServicesDep, _caller: CallerDep) -> None:
    """Remove a recurring job. Jobs it has submitted stay."""
    await services.schedules.delete(name)
