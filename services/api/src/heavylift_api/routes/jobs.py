"""/v1/jobs"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from starlette.requests import Request

from heavylift.constants import IDEMPOTENCY_HEADER
from heavylift.model import JobStatus
from heavylift_api import errors
from heavylift_api.auth import authenticate
from heavylift_api.body import JSON_REFUSALS, read_json
from heavylift_api.deps import CallerDep, JobIdDep, ServicesDep, services_of
from heavylift_api.idempotency import RequestKey
from heavylift_api.listing import MAX_LIMIT, QUEUE, JobFilter, next_link
from heavylift_api.openapi import idempotency_key, json_body, problems
from heavylift_api.query import ONLY_KNOWN_PARAMETERS
from heavylift_api.replays import ReplayRequest
from heavylift_api.responses import JSON, accepted
from heavylift_api.submission import BatchRequest, JobRequest
from heavylift_api.views import BatchView, JobPage, JobView, ReplayView

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

BATCH_PATIENCE = 6
"""Times longer than a single job's body a batch's may take to arrive."""


@router.post(
    "",
    status_code=202,
    response_model=JobView,
    operation_id="submit_job",
    openapi_extra=json_body(JobRequest) | idempotency_key(),
    responses=problems(
        *JSON_REFUSALS,
        errors.InvalidInput,
        errors.UnknownJobType,
        errors.KeyReused,
        errors.StoreGone,
        errors.OutOfMemory,
        errors.QueueBusy,
    ),
)
async def submit(request: Request) -> Response:
    """Submit a job."""
    # FastAPI takes longer to resolve dependencies than a submit takes: the busiest route asks for its own.
    key = RequestKey.of(authenticate(request), request.headers.get(IDEMPOTENCY_HEADER))
    services = services_of(request)
    settings = services.settings
    document = await read_json(request, limit=settings.max_body_size, within=settings.body_timeout)
    return accepted(await services.submissions.submit(document, key))


@router.post(
    ":batch",
    status_code=202,
    response_model=BatchView,
    operation_id="submit_batch",
    openapi_extra=json_body(BatchRequest) | idempotency_key(),
    responses=problems(
        *JSON_REFUSALS,
        errors.InvalidBatch,
        errors.KeyReused,
        errors.StoreGone,
        errors.OutOfMemory,
        errors.QueueBusy,
    ),
)
async def submit_batch(request: Request, services: ServicesDep, caller: CallerDep) -> Response:
    """Submit up to 10,000 jobs, each checked and answered by itself.

    202 if at least one was accepted; `results` has an entry for each job, in their order.
    """
    key = RequestKey.of(caller, request.headers.get(IDEMPOTENCY_HEADER))
    settings = services.settings
    within = settings.body_timeout * BATCH_PATIENCE
    document = await read_json(request, limit=settings.max_batch_size, within=within)
    return Response(await services.batches.submit(document, key), status_code=202, media_type=JSON)


@router.get(
    "",
    operation_id="list_jobs",
    dependencies=ONLY_KNOWN_PARAMETERS,
    responses=problems(errors.InvalidRequest, errors.StoreGone),
)
async def list_jobs(
    response: Response,
    services: ServicesDep,
    _caller: CallerDep,
    *,
    status: JobStatus | None = None,
    job_type: Annotated[str | None, Query(alias="type", max_length=200)] = None,
    queue: Annotated[str | None, Query(pattern=QUEUE)] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 50,
    cursor: Annotated[str | None, Query(max_length=100)] = None,
) -> JobPage:
    """List jobs of all queues, newest first."""
    wanted = JobFilter(status, job_type, queue, limit, cursor)
    page = await services.listing.page(wanted)
    if page.next_cursor:
        response.headers["Link"] = next_link(wanted, page.next_cursor)
    return page


@router.get("/{job_id}", operation_id="get_job", responses=problems(errors.UnknownJob, errors.StoreGone))
async def get(job_id: JobIdDep, services: ServicesDep, _caller: CallerDep) -> JobView:
    """Return a job."""
    return JobView.of(await services.jobs.read(job_id))


@router.post(
    "/{job_id}:cancel",
    operation_id="cancel_job",
    responses={202: {"model": JobView, "description": "The job runs; it was asked to stop."}}
    | problems(errors.UnknownJob, errors.AlreadyEnded, errors.StoreGone),
)
async def cancel(job_id: JobIdDep, response: Response, services: ServicesDep, caller: CallerDep) -> JobView:
    """Cancel a waiting job, or ask a running one to stop."""
    job = await services.jobs.cancel(job_id, caller=caller)
    response.status_code = 200 if job.status.terminal else 202
    return JobView.of(job)


@router.post(
    "/{job_id}:replay",
    status_code=202,
    operation_id="replay_job",
    responses=problems(errors.UnknownJob, errors.NotFailed, errors.StoreGone, errors.OutOfMemory),
)
async def replay(job_id: JobIdDep, services: ServicesDep, caller: CallerDep) -> JobView:
    """Queue a failed job again, with all its attempts."""
    return JobView.of(await services.jobs.replay(job_id, caller=caller))


@router.post(
    ":replay",
    status_code=202,
    response_model=ReplayView,
    operation_id="replay_jobs",
    openapi_extra=json_body(ReplayRequest),
    responses=problems(
        *JSON_REFUSALS,
        errors.StoreGone,
        errors.OutOfMemory,
    ),
)
async def replay_many(request: Request, services: ServicesDep, caller: CallerDep) -> ReplayView:
    """Queue failed jobs again, with all their attempts: those that fit all the criteria."""
    settings = services.settings
    document = await read_json(request, limit=settings.max_body_size, within=settings.body_timeout)
    return await services.replays.replay(document, caller=caller)


@router.get(
    "/{job_id}/events",
    operation_id="follow_job",
    response_class=Response,
    responses={200: {"description": "Server-sent events.", "content": {"text/event-stream": {}}}}
    | problems(errors.UnknownJob, errors.InvalidRequest, errors.StoreGone, errors.TooManyStreams),
)
async def follow(
    job_id: JobIdDep,
    services: ServicesDep,
    _caller: CallerDep,
    *,
    last_event_id: Annotated[int | None, Query(ge=0)] = None,
    last_event_id_header: Annotated[int | None, Header(alias="Last-Event-ID", ge=0)] = None,
) -> Response:
    """Follow a job: its history from `Last-Event-ID` on, then what happens, until it has ended."""
    after = last_event_id_header if last_event_id_header is not None else last_event_id or 0
    return await services.streams.open(job_id, after=after)
