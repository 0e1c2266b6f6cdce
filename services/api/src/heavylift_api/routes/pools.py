"""/v1/pools"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.requests import Request

from heavylift.model import PoolAction
from heavylift_api import errors
from heavylift_api.body import JSON_REFUSALS, read_json
from heavylift_api.deps import CallerDep, ServicesDep
from heavylift_api.openapi import json_body, problems
from heavylift_api.pools import NAME, HoldRequest
from heavylift_api.query import ONLY_KNOWN_PARAMETERS
from heavylift_api.views import PoolList, PoolView

router = APIRouter(prefix="/v1/pools", tags=["pools"])

PoolDep = Annotated[str, Path(pattern=NAME, examples=["video"])]

ORDERS = {
    PoolAction.RELEASE: "End a hold: the number of workers is decided again.",
    PoolAction.PAUSE: "Leave the number of workers as it is, whatever the queues say.",
    PoolAction.RESUME: "End a pause.",
    PoolAction.FREEZE_IN: "Take no workers away; more may come.",
    PoolAction.FREEZE_OUT: "Add no workers; idle ones may go.",
    PoolAction.THAW: "End a freeze.",
}
"""Orders without a body. The leading controller follows them in its next turn, a second or two later."""


@router.get(
    "",
    operation_id="list_pools",
    dependencies=ONLY_KNOWN_PARAMETERS,
    responses=problems(errors.InvalidRequest, errors.StoreGone),
)
async def list_pools(services: ServicesDep, _caller: CallerDep) -> PoolList:
    """List the pools with what they do and why. None: no controller decides about any."""
    return PoolList(items=await services.pools.all())


@router.get(
    "/{pool}",
    operation_id="get_pool",
    responses=problems(errors.UnknownPool, errors.InvalidRequest, errors.StoreGone),
)
async def get_pool(pool: PoolDep, services: ServicesDep, _caller: CallerDep) -> PoolView:
    """Return a pool with the record of its last decision: what was seen and learned, and what each term asks for."""
    return await services.pools.get(pool)


@router.post(
    "/{pool}:hold",
    status_code=202,
    operation_id="hold_pool",
    openapi_extra=json_body(HoldRequest),
    responses=problems(*JSON_REFUSALS, errors.UnknownPool, errors.StoreGone, errors.OutOfMemory),
)
async def hold(pool: PoolDep, request: Request, services: ServicesDep, caller: CallerDep) -> PoolView:
    """Hold a pool at a number of workers, until it is released or for a time. Busy workers finish their jobs first."""
    settings = services.settings
    document = await read_json(request, limit=settings.max_body_size, within=settings.body_timeout)
    return await services.pools.hold(pool, document, by=caller)


def _add(action: PoolAction, description: str) -> None:
    async def order(pool: PoolDep, services: ServicesDep, caller: CallerDep) -> PoolView:
        return await services.pools.order(pool, action, by=caller)

    name = action.replace("-", "_")
    router.add_api_route(
        f"/{{pool}}:{action}",
        order,
        methods=["POST"],
        status_code=202,
        name=name,
        operation_id=f"{name}_pool",
        description=description,
        responses=problems(errors.UnknownPool, errors.InvalidRequest, errors.StoreGone, errors.OutOfMemory),
    )


for _action, _description in ORDERS.items():
    _add(_action, _description)
