"""What producers and workers do to a store, sync or async, in a word each."""

from __future__ import annotations

from typing import Any

from heavylift import operations as ops
from heavylift.constants import Keys
from heavylift.ids import JobId, new_job_id
from heavylift.model import JobTypeInfo
from heavylift.operations import Claim, Submitted
from heavylift.store import AsyncStore, Call, Store

QUEUE = "video"
INFO = JobTypeInfo(type="video.transcode", queue=QUEUE, input_schema={}, output_schema={})


def submission(keys: Keys, job_id: JobId | None = None) -> Call[list[Submitted]]:
    return ops.submit(keys, QUEUE, [ops.Submission(job_id or new_job_id(QUEUE), INFO, b"{}")])


def claim(keys: Keys, number: int = 1) -> Call[list[Claim]]:
    return ops.claim(keys, QUEUE, ops.Claimant("worker-1", "boot-1"), number=number, slots=1, busy=0)


def success(keys: Keys, claim: Claim) -> Call[ops.Finished]:
    ending = ops.Ending(ops.Outcome.SUCCEEDED, output=b"1")
    return ops.finish(keys, claim.id, claim.token, ending, attempt=claim.attempt, worker="worker-1")


async def run(store: Store | AsyncStore, call: Call[Any]) -> Any:
    return await store.run(call) if isinstance(store, AsyncStore) else store.run(call)


async def run_one_job(store: Store | AsyncStore, number: int = 1) -> str:
    """Take a job through its life and return its last status."""
    [submitted] = await run(store, submission(store.keys))
    [claimed] = await run(store, claim(store.keys, number))
    assert claimed.id == submitted.id
    assert (await run(store, success(store.keys, claimed))).written
    job = await run(store, ops.read_job(store.keys, submitted.id))
    assert job is not None
    return job.status.value


def dump(redis: Any) -> dict[bytes, bytes]:
    """Return everything Redis holds."""
    return {key: redis.dump(key) for key in redis.scan_iter()}
