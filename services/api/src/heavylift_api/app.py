"""The ASGI application."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.routing import APIRoute

from heavylift.artifacts import ArtifactStore
from heavylift.installation import Installation
from heavylift_api.auth import ApiKeys
from heavylift_api.handlers import add_handlers
from heavylift_api.metrics import RequestMetrics, create_request_series
from heavylift_api.openapi import describe
from heavylift_api.pools import HoldRequest
from heavylift_api.replays import ReplayRequest
from heavylift_api.routes import artifacts, health, job_types, jobs, pools, queues, schedules, uploads
from heavylift_api.schedules import ScheduleRequest
from heavylift_api.services import running_services
from heavylift_api.settings import ApiSettings
from heavylift_api.submission import BatchRequest, JobRequest

ROUTERS = tuple(part.router for part in (jobs, artifacts, uploads, job_types, queues, pools, schedules, health))


def create_app(settings: ApiSettings, *, keys: ApiKeys, installation: Installation | None = None) -> FastAPI:
    """Return the application. It connects to Redis with the first request, and works again whenever Redis does.

    Raises ConfigurationError.
    """
    installation = installation or Installation(settings)
    artifacts = ArtifactStore.from_url(settings.artifacts_url)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with running_services(settings, artifacts, installation) as services:
            app.state.services = services
            yield

    app = FastAPI(
        title="Heavylift",
        version=version("heavylift-api"),
        description="Submit heavy jobs, follow them, fetch what they made.",
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.state.keys = keys
    app.state.installation = installation
    for router in ROUTERS:
        app.router.routes.extend(router.routes)  # include_router would search in two steps for each request
    add_handlers(app)
    describe(app, JobRequest, BatchRequest, ReplayRequest, ScheduleRequest, HoldRequest)
    app.add_middleware(RequestMetrics)
    create_request_series(
        (route.path, method, [route.status_code or 200, *map(int, route.responses)])
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    )
    return app
