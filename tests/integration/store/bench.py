"""A queue on a real Redis, driven as its producers, workers and controller drive it, and looked at from behind."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import redis

from heavylift import operations as ops
from heavylift.ids import JobId, new_job_id
from heavylift.model import Job, JobError, JobStatus, JobTypeInfo, Priority, RetryPolicy
from heavylift.operations import Claim, Claimant, Ending, Finished, Lease, Outcome, Submission
from heavylift.settings import Settings
from heavylift.store import Call, Store

T = TypeVar("T")

QUEUE = "video"
PATIENCE = timedelta(minutes=1)
"""How long a suspect waits here for a worker that holds nothing: longer than any test takes; see conftest.py."""
BROKEN = JobError(type="exception", message="It broke.")


class Bench:
    """One queue of one store. Times are given from now, in seconds."""

    def __init__(self, url: str) -> None:
        self.store = Store.from_settings(Settings(redis_url=url))
        self.redis: redis.Redis = self.store.redis
        self.keys = self.store.keys
        self.next_number = 1

    def run(self, call: Call[T]) -> T:
        return self.store.run(call)

    def submission(
        self,
        *,
        priority: Priority = Priority.NORMAL,
        max_attempts: int = 3,
        run_in: float | None = None,
        expires_in: float | None = None,
        retention: float = 3600,
    ) -> Submission:
        now = datetime.now(UTC)
        info = JobTypeInfo(
            type="video.transcode",
            queue=QUEUE,
            input_schema={},
            output_schema={},
            retry=RetryPolicy(max_attempts=max_attempts),
            retention=timedelta(seconds=retention),
        )
        return Submission(
            new_job_id(QUEUE),
            info,
            b'{"n":12345678901234567890,"empty":[]}',
            priority=priority,
            run_at=None if run_in is None else now + timedelta(seconds=run_in),
            expires_at=None if expires_in is None else now + timedelta(seconds=expires_in),
        )

    def submit(self, **options: object) -> JobId:
        submission = self.submission(**options)  # ty: ignore[invalid-argument-type] - those of `submission`
        self.run(ops.submit(self.keys, QUEUE, [submission]))
        return submission.id

    def claim(self, worker: str = "w1", *, slots: int = 1, busy: int = 0) -> list[Claim]:
        number = self.next_number
        self.next_number += slots
        claimant = Claimant(worker, f"boot-{worker}")
        return self.run(ops.claim(self.keys, QUEUE, claimant, number=number, slots=slots, busy=busy))

    def claim_one(self, worker: str = "w1") -> Claim:
        (claim,) = self.claim(worker)
        return claim

    def finish(
        self,
        claim: Claim,
        outcome: Outcome = Outcome.SUCCEEDED,
        *,
        delay: float = 0,
        output: bytes | None = None,
        worker: str = "w1",
    ) -> Finished:
        error = BROKEN if outcome in {Outcome.FAILED, Outcome.RETRYING, Outcome.LOST} else None
        ending = Ending(outcome, output=output, error=error, delay=timedelta(seconds=delay))
        return self.run(ops.finish(self.keys, claim.id, claim.token, ending, attempt=claim.attempt, worker=worker))

    def leases(self) -> list[Lease]:
        return self.run(ops.read_leases(self.keys, QUEUE))

    def reap(self, claim: Claim) -> list[str]:
        return self.run(ops.reap(self.keys, QUEUE, [lease for lease in self.leases() if lease.token == claim.token]))

    def reap_all(self) -> list[str]:
        return self.run(ops.reap(self.keys, QUEUE, self.leases()))

    def renew(self, *claims: Claim) -> Sequence[ops.LeaseState]:
        return self.run(ops.renew(self.keys, QUEUE, [(claim.id.uuid, claim.token) for claim in claims]))

    def cancel(self, job_id: JobId) -> JobStatus | None:
        return self.run(ops.cancel(self.keys, job_id))

    def replay(self, job_id: JobId) -> JobStatus | None:
        return self.run(ops.replay(self.keys, job_id))

    def release_due(self, limit: int = 500) -> ops.Released:
        return self.run(ops.release_due(self.keys, QUEUE, limit=limit))

    def forget(self, *job_ids: JobId) -> int:
        return self.run(ops.forget(self.keys, QUEUE, [job_id.uuid for job_id in job_ids]))

    def read(self, job_id: JobId) -> Job:
        job = self.run(ops.read_job(self.keys, job_id))
        assert job
        return job

    def status(self, job_id: JobId) -> JobStatus:
        return self.read(job_id).status

    def events(self, job_id: JobId) -> list[str]:
        page = self.run(ops.read_events(self.keys, job_id))
        assert page
        return [event.event for event in page.events]

    def run_down(self, job_id: JobId, times: int) -> None:
        """Let attempts of the job be lost."""
        for _ in range(times):
            claim = self.claim_one()
            assert claim.id == job_id
            self.finish(claim, Outcome.LOST)

    def tokens(self) -> int:
        """Return how many wake tokens lie there."""
        return self.ask("LLEN", self.keys.wake(QUEUE))

    def take_token(self) -> bool:
        return self.redis.lpop(self.keys.wake(QUEUE)) is not None

    def ask(self, *command: str | bytes | float) -> Any:
        """Run a command as redis-cli would."""
        return self.redis.execute_command(*command)

    def unreadable(self) -> list[bytes]:
        return self.ask("LRANGE", f"{self.keys.base(QUEUE)}unreadable", 0, -1)

    def dump(self) -> dict[bytes, object]:
        """Return everything Redis holds."""
        return {name: self._value(name) for name in self.redis.scan_iter(count=1000)}

    def _value(self, name: bytes) -> object:
        commands = {
            b"string": ("GET", name),
            b"list": ("LRANGE", name, 0, -1),
            b"hash": ("HGETALL", name),
            b"zset": ("ZRANGE", name, 0, -1, "WITHSCORES"),
        }
        return self.ask(*commands[self.ask("TYPE", name)])
