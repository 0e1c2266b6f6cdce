"""Routes that do nothing: what FastAPI and the server leave at most."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request, Response
from pydantic import BaseModel

http = FastAPI()


class JobIn(BaseModel):
    """The same request that Heavylift takes."""

    type: str
    input: dict[str, Any]


class Accepted(BaseModel):
    """The answer."""

    id: str


@http.post("/validated", status_code=202)
async def validated(job: JobIn) -> Accepted:
    """Check the body with Pydantic and answer with a model, as FastAPI's documentation does."""
    return Accepted(id=job.type)


@http.post("/bare")
async def bare(request: Request) -> Response:
    """Read the body and answer with fixed bytes."""
    await request.body()
    return Response(b'{"id":"1"}', status_code=202, media_type="application/json")
