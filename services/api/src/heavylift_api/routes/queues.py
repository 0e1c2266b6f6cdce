"""/v1/queues"""

from __future__ import annotations

from fastapi import APIRouter

from heavylift_api import errors
from heavylift_api.deps import CallerDep, ServicesDep
from heavylift_api.openapi import problems
from heavylift_api.query import ONLY_KNOWN_PARAMETERS
from heavylift_api.views import QueueList

router = APIRouter(prefix="/v1/queues", tags=["queues"])


@router.get(
    "",
    operation_id="list_queues",
    dependencies=ONLY_KNOWN_PARAMETERS,
    responses=problems(errors.InvalidRequest, errors.StoreGone),
)
async def list_queues(services: ServicesDep, _caller: CallerDep) -> QueueList:
    """List the queues with what they hold."""
    return QueueList(items=await services.queues.all())
