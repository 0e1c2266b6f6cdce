"""POST /upload"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from starlette.requests import Request

from heavylift.constants import IDEMPOTENCY_HEADER
from heavylift_api import errors
from heavylift_api.body import check_announced_size, chunks
from heavylift_api.deps import CallerDep, ServicesDep
from heavylift_api.idempotency import RequestKey
from heavylift_api.incoming import Form, Incoming, RawBody
from heavylift_api.openapi import idempotency_key, problems, upload_body
from heavylift_api.query import ONLY_KNOWN_PARAMETERS
from heavylift_api.responses import accepted
from heavylift_api.settings import ApiSettings
from heavylift_api.views import JobView

FORM_OVERHEAD = 2 * 1024 * 1024
"""Bytes a form may have beside its file."""

router = APIRouter(tags=["jobs"])


@router.post(
    "/upload",
    status_code=202,
    response_model=JobView,
    operation_id="upload",
    dependencies=ONLY_KNOWN_PARAMETERS,
    openapi_extra=upload_body() | idempotency_key(),
    responses=problems(
        errors.InvalidJson,
        errors.InvalidMultipart,
        errors.BodyTooSlow,
        errors.BodyTooLarge,
        errors.InvalidRequest,
        errors.InvalidInput,
        errors.UnknownJobType,
        errors.TakesNoFile,
        errors.KeyReused,
        errors.UploadInProgress,
        errors.StoreGone,
        errors.OutOfMemory,
        errors.StorageGone,
        errors.QueueBusy,
        errors.TooManyUploads,
    ),
)
async def upload(
    request: Request,
    services: ServicesDep,
    caller: CallerDep,
    *,
    job_type: Annotated[str | None, Query(alias="type", max_length=200)] = None,
    filename: Annotated[str | None, Query(max_length=1000)] = None,
    job_input: Annotated[str | None, Query(alias="input", max_length=100_000)] = None,
) -> Response:
    """Upload a file, as the body or as the field `file` of a form, and submit a job on it.

    `input` is JSON of the type's other input fields. In a form, `type` and `input` may be fields as well.
    """
    given = {"type": job_type, "input": job_input}
    fields = {name: value for name, value in given.items() if value is not None}
    incoming = _incoming(request, services.settings, fields, filename)
    return accepted(
        await services.uploads.receive(incoming, RequestKey.of(caller, request.headers.get(IDEMPOTENCY_HEADER)))
    )


def _incoming(request: Request, settings: ApiSettings, fields: dict[str, str], filename: str | None) -> Incoming:
    body = chunks(request, idle_timeout=settings.upload_idle_timeout)
    content_type = request.headers.get("content-type", "")
    if content_type.partition(";")[0].strip().lower() == "multipart/form-data":
        check_announced_size(request, settings.max_upload_size + FORM_OVERHEAD)
        return Form(body, form_type=content_type, fields=fields, filename=filename)
    check_announced_size(request, settings.max_upload_size)
    return RawBody(body, fields=fields, filename=filename, content_type=content_type)
