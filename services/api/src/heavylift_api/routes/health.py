"""Probes and metrics, which need no key."""

from __future__ import annotations

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

from heavylift_api import errors
from heavylift_api.deps import ServicesDep
from heavylift_api.openapi import problems

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """A good sign."""

    status: str = "ok"


@router.get("/livez", operation_id="livez")
async def livez() -> Health:
    """Tell that the process answers, whatever Redis does."""
    return Health()


@router.get("/readyz", operation_id="readyz", responses=problems(errors.NotReady))
async def readyz(services: ServicesDep) -> Health:
    """Tell whether jobs can be taken: Redis and the artifact storage answer, and the server is not on its way out."""
    await services.readiness.check()
    return Health()


@router.get(
    "/metrics", operation_id="metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}}
)
async def metrics() -> Response:
    """Return the metrics of this process."""
    return Response(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})
