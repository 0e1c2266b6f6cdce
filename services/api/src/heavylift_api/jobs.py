"""Reading and steering single jobs."""

from __future__ import annotations

from heavylift.ids import JobId
from heavylift.model import Job, JobStatus
from heavylift.operations import cancel, read_job, replay_each
from heavylift_api.errors import AlreadyEnded, NotFailed, UnknownJob
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

    async def replay(self, job_id: JobId, *, caller: str) -> Job:
        """Queue a failed job again. Raises UnknownJob, NotFailed or StoreUnavailable."""
        call = replay_each(self._store.keys, job_id.queue, [job_id.uuid], reason=f"replayed by {caller}")
        [(replayed, status)] = await self._store.run(call)
        if status is None:
            raise UnknownJob
        if not replayed:
            if status is JobStatus.FAILED:
                raise NotFailed("The job's retention is over.")
            raise NotFailed(f"Only a failed job can be replayed; this one is {status}.")
        return await self.read(job_id)
