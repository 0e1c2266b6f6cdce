"""From exceptions to problem responses, also for FastAPI's and Starlette's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from heavylift.errors import (
    ArtifactNotFound,
    ArtifactStorageUnavailable,
    InvalidJobId,
    QueueFull,
    StoreFull,
    StoreUnavailable,
)
from heavylift_api.errors import (
    MEDIA_TYPE,
    FieldError,
    InternalError,
    InvalidRequest,
    OutOfMemory,
    Problem,
    ProblemDocument,
    QueueBusy,
    StorageGone,
    StoreGone,
    UnknownArtifact,
    UnknownJob,
)
from heavylift_api.pointers import pointer

log = structlog.get_logger()

CLIENT_CLOSED_REQUEST = 499
"""nginx's status for a client that left before its answer: seen in metrics only."""


def add_handlers(app: FastAPI) -> None:
    """Let every error leave as a problem."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(StoreUnavailable, _store_gone)
    app.add_exception_handler(StoreFull, _store_full)
    app.add_exception_handler(QueueFull, _queue_full)
    app.add_exception_handler(ArtifactNotFound, _artifact_gone)
    app.add_exception_handler(ArtifactStorageUnavailable, _storage_gone)
    app.add_exception_handler(InvalidJobId, _invalid_job_id)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(ClientDisconnect, _client_left)
    app.add_exception_handler(Exception, _internal_error)


def problem_response(problem: Problem) -> Response:
    """Return the response for a problem."""
    return _respond(problem.document(), problem.response_headers)


def field_errors(errors: Sequence[Mapping[str, object]], *, prefix: str = "") -> list[FieldError]:
    """Return Pydantic's errors about a body as pointers."""
    return [FieldError(pointer=prefix + pointer(_path(error["loc"])), detail=_sentence(error)) for error in errors]


def _respond(document: ProblemDocument, headers: Mapping[str, str]) -> Response:
    content = document.model_dump_json(exclude_none=True)
    return Response(content, status_code=document.status, headers=dict(headers), media_type=MEDIA_TYPE)


async def _problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return problem_response(error)


async def _store_gone(request: Request, error: Exception) -> Response:
    log.warning("store_unavailable", method=request.method, path=request.url.path, reason=str(error))
    return problem_response(StoreGone())


async def _store_full(request: Request, error: Exception) -> Response:
    log.warning("store_full", method=request.method, path=request.url.path, reason=str(error))
    return problem_response(OutOfMemory())


async def _artifact_gone(_request: Request, _error: Exception) -> Response:
    return problem_response(UnknownArtifact("The artifact is no longer in storage."))


async def _storage_gone(request: Request, error: Exception) -> Response:
    log.warning("storage_unavailable", method=request.method, path=request.url.path, reason=str(error))
    return problem_response(StorageGone())


async def _queue_full(_request: Request, error: Exception) -> Response:
    return problem_response(QueueBusy(str(error)))


async def _invalid_job_id(_request: Request, error: Exception) -> Response:
    return problem_response(UnknownJob(str(error)))


async def _invalid_request(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = [
        FieldError(parameter=".".join(map(str, _path(each["loc"])[1:])), detail=_sentence(each))
        for each in error.errors()
    ]
    return problem_response(InvalidRequest(errors=found))


async def _http_exception(_request: Request, error: Exception) -> Response:
    # "about:blank" is RFC 9457's own type for a problem that the status alone describes.
    assert isinstance(error, HTTPException)
    title = HTTPStatus(error.status_code).phrase
    detail = error.detail if error.detail != title else None
    return _respond(ProblemDocument(title=title, status=error.status_code, detail=detail), error.headers or {})


async def _client_left(_request: Request, _error: Exception) -> Response:
    return Response(status_code=CLIENT_CLOSED_REQUEST)


async def _internal_error(_request: Request, _error: Exception) -> Response:
    # Starlette raises the error again behind this, so that the server logs it with its traceback.
    return problem_response(InternalError())


def _path(loc: object) -> tuple[str | int, ...]:
    assert isinstance(loc, tuple)
    return loc


def _sentence(error: Mapping[str, object]) -> str:
    if error.get("type") == "model_type":  # Pydantic names the class, which is nobody's but ours
        return "Give a JSON object."
    return str(error["msg"]).removeprefix("Value error, ")
