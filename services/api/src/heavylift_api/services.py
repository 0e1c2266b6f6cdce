"""The services behind the routes, put together once a process."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from heavylift.artifacts import ArtifactStore
from heavylift.installation import Installation
from heavylift.store import AsyncStore
from heavylift_api.admission import Admission
from heavylift_api.batches import Batches
from heavylift_api.downloads import Downloads
from heavylift_api.events import EventStreams
from heavylift_api.hub import Hub
from heavylift_api.idempotency import Idempotency
from heavylift_api.job_types import JobTypes
from heavylift_api.jobs import Jobs
from heavylift_api.listing import Listing
from heavylift_api.memory import Memory
from heavylift_api.pools import Pools
from heavylift_api.queues import Queues
from heavylift_api.readiness import Readiness
from heavylift_api.replays import Replays
from heavylift_api.schedules import Schedules
from heavylift_api.settings import ApiSettings
from heavylift_api.store import BoundedStore
from heavylift_api.submission import Submissions
from heavylift_api.submitter import Submitter
from heavylift_api.uploads import Uploads


@dataclass(frozen=True, slots=True)
class Services:
    """What routes may call."""

    settings: ApiSettings
    types: JobTypes
    submissions: Submissions
    batches: Batches
    jobs: Jobs
    replays: Replays
    queues: Queues
    pools: Pools
    schedules: Schedules
    listing: Listing
    streams: EventStreams
    hub: Hub
    uploads: Uploads
    downloads: Downloads
    readiness: Readiness


@asynccontextmanager
async def running_services(
    settings: ApiSettings, artifacts: ArtifactStore, installation: Installation
) -> AsyncGenerator[Services]:
    """Put the services together, and take them down again."""
    connections = AsyncStore.from_settings(settings)
    store = BoundedStore(connections, timeout=settings.answer_timeout, installation=installation)
    types = JobTypes(store)
    jobs = Jobs(store)
    idempotency = Idempotency(store)
    memory = Memory(store, full_at=settings.redis_full_at)
    submissions = Submissions(types, Submitter(store, bound_of=settings.bound), jobs, idempotency, memory)
    uploads = Uploads(
        artifacts,
        types,
        submissions,
        jobs,
        idempotency,
        admission=Admission(store, memory, bound_of=settings.bound),
        limit=settings.max_upload_size,
        bound=settings.max_uploads,
    )
    hub = Hub(connections)
    hub.start()
    memory.start()
    try:
        yield Services(
            settings=settings,
            types=types,
            submissions=submissions,
            batches=Batches(store, types, idempotency, memory, settings),
            jobs=jobs,
            replays=Replays(store),
            queues=Queues(store, bound_of=settings.bound),
            pools=Pools(store),
            schedules=Schedules(store, types),
            listing=Listing(store),
            streams=EventStreams(store, hub, bound=settings.max_event_streams),
            hub=hub,
            uploads=uploads,
            downloads=Downloads(artifacts, jobs),
            readiness=Readiness(store, artifacts, hub, patience=settings.answer_timeout),
        )
    finally:
        await uploads.close()
        await memory.stop()
        await hub.stop()
        await connections.aclose()
