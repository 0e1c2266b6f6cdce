"""Reading and steering single jobs."""

from __future__ import annotations

from heavylift.ids import JobId
from heavylift.model import Job, JobStatus
from heavylift.operations import cancel, read_job
from heavylift_api.errors import AlreadyEnded, UnknownJob
from heavylift_api.store import BoundedStore


class Jobs:
    """The jobs in the store."""

    def __init__(self, store: BoundedStore) -> None:
        self._store = store

    async def read(self, job_id: JobId) -> Job:
        """Return a job's record. Raises UnknownJob or StoreUnavailable."""
        job = await self._store.run(read_job(self._store.keys, job_id))
        if job is None:
            raise UnknownJob
        return job

    async def cancel(self, job_id: JobId, *, caller: str) -> Job:
        """Cancel a waiting job, or ask a running one to stop; return what became of it.

        Raises UnknownJob, AlreadyEnded or StoreUnavailable.
        """
        status = await self._store.run(cancel(self._store.keys, job_id, reason=f"cancelled by {caller}"))
        if status is None:
            raise UnknownJob
        if status.terminal and status is not JobStatus.CANCELLED:
            raise AlreadyEnded(f"The job has ended already ({status}); there is nothing to cancel.")
        return await self.read(job_id)
