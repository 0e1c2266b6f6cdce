"""Query parameters that a route does not have are refused: a misspelt filter would return all there is."""

from __future__ import annotations

from fastapi import Depends
from fastapi.routing import APIRoute
from starlette.requests import Request

from heavylift_api.deps import CallerDep
from heavylift_api.errors import FieldError, InvalidRequest

_MOST = 20
"""Unknown names that are told of at once."""


# Asks for the caller so that who has no key is told that first.
async def _only_known(request: Request, _caller: CallerDep) -> None:
    if not request.query_params:
        return
    route = request.scope["route"]
    assert isinstance(route, APIRoute)
    known = [field.alias for field in route.dependant.query_params]
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        ours = f"There are: {', '.join(known)}." if known else "This route takes none."
        detail = f"There is no such query parameter. {ours}"
        raise InvalidRequest(errors=[FieldError(parameter=name[:80], detail=detail) for name in unknown[:_MOST]])


ONLY_KNOWN_PARAMETERS = [Depends(_only_known)]
"""`dependencies` of a route. It may answer with InvalidRequest."""
