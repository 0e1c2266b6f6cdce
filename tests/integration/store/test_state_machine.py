"""All scripts in any order, by several workers with good and stale tokens, against a model of a few lines.

The model knows what each script may do to a job's state; Redis is asked after every step whether its keys still fit
together (invariants.py) and agree with the model. The default run is bounded in time; for a longer search set
`HEAVYLIFT_STATE_MACHINE_EXAMPLES` (a thousand take some ten minutes).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from heavylift import operations as ops
from heavylift.errors import ClaimRefused, MustRunDry, QueueFull
from heavylift.ids import JobId
from heavylift.model import TERMINAL, JobStatus, Priority
from heavylift.operations import Claim, Lease, LeaseState, Outcome, Submission
from tests.integration.store.bench import QUEUE, Bench
from tests.integration.store.invariants import SUSPECT_LOSSES, Picture, contradictions, uuid_of

pytestmark = pytest.mark.integration

SEARCH = os.environ.get("HEAVYLIFT_STATE_MACHINE_EXAMPLES")
STEPS = 50


@dataclass
class Expected:
    """A job as it should be."""

    submission: Submission
    status: JobStatus
    started: bool = False
    attempts: int = 0
    losses: int = 0
    cancel: bool = False
    token: str | None = None
    """Of the attempt that runs."""
    ended: str | None = None
    """The token that ended the newest attempt."""
    renewals: int = 0
    events: list[bytes] = field(default_factory=list)
    replays: int = 0
    overdue: bool = False
    """It has waited for too long since it became ready to run."""

    @property
    def priority(self) -> Priority:
        return self.submission.priority

    @property
    def late(self) -> bool:
        """Whether it was to start by now, and did not."""
        expires_at = self.submission.expires_at
        return not self.started and expires_at is not None and expires_at <= datetime.now(UTC)

    @property
    def most(self) -> int:
        return self.submission.info.retry.max_attempts

    def start(self, claim: Claim) -> None:
        self.status, self.token, self.renewals, self.started = JobStatus.RUNNING, claim.token, 0, True
        self.attempts += 1
        self.overdue = False

    def end(self, outcome: Outcome, *, delayed: bool) -> None:
        """Apply what scripts/finish.lua promises for an attempt that holds its lease."""
        self.ended, self.token = self.token, None
        if outcome is Outcome.LOST:
            self.lose()
        elif outcome in {Outcome.RETRYING, Outcome.RELEASED} and self.cancel:
            self.status = JobStatus.CANCELLED
        elif outcome is Outcome.RETRYING:
            self.status = JobStatus.FAILED if self.attempts >= self.most else JobStatus.SCHEDULED
        elif outcome is Outcome.RELEASED:
            self.attempts -= 1
            self.status = JobStatus.SCHEDULED if delayed else JobStatus.QUEUED
        else:
            self.status = JobStatus(outcome)

    def lose(self) -> None:
        self.token = None
        self.losses += 1
        if self.cancel:
            self.status = JobStatus.CANCELLED
        else:
            self.status = JobStatus.FAILED if self.attempts >= self.most else JobStatus.QUEUED

    def revive(self) -> None:
        self.status, self.attempts, self.losses, self.cancel, self.ended = JobStatus.QUEUED, 0, 0, False, None
        self.replays += 1


class StoreMachine(RuleBasedStateMachine):
    """Producers, three workers, a controller and a person at the console."""

    url: str

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench(self.url)
        self.bench.ask("FLUSHALL")
        self.jobs: dict[str, Expected] = {}
        self.claims: list[Claim] = []
        self.seen: list[Lease] = []
        self.submitted = 0
        self.marked: set[str] = set()
        self.suspect = ""
        """The one that was taken last."""
        self.dry_worker: str | None = None
        self.epoch = 1
        self.arrived = 0
        self.served = 0
        self.queued: set[str] = set()
        """Who waited after the step before."""

    def teardown(self) -> None:
        self.bench.store.close()

    def new_uuid(self) -> str:
        """Return ids in order, the same ones in every run."""
        self.submitted += 1
        return f"00000000-0000-7000-8000-{self.submitted:012x}"

    def of(self, status: JobStatus) -> Iterator[tuple[str, Expected]]:
        return ((uuid, job) for uuid, job in self.jobs.items() if job.status is status)

    def pick(self, at: int) -> JobId:
        uuids = sorted(self.jobs)
        return JobId(QUEUE, uuids[at % len(uuids)])

    def held(self, worker: str) -> int:
        return sum(job.token is not None and job.token.startswith(f"boot-{worker}:") for job in self.jobs.values())

    @rule(
        count=st.integers(1, 4),
        priority=st.sampled_from(Priority),
        most=st.sampled_from([1, 2, 4]),
        run_in=st.sampled_from([None, None, None, 60]),
        expires_in=st.sampled_from([None, None, None, -1, 60]),
        bound=st.sampled_from([0, 0, 5]),
    )
    def submit(
        self, *, count: int, priority: Priority, most: int, run_in: float | None, expires_in: float | None, bound: int
    ) -> None:
        batch = [
            self.bench.submission(
                priority=priority, max_attempts=most, run_in=run_in, expires_in=expires_in, retention=3600
            )
            for _ in range(count)
        ]
        batch = [replace(submission, id=JobId(QUEUE, self.new_uuid())) for submission in batch]
        waiting = len([*self.of(JobStatus.QUEUED), *self.of(JobStatus.SCHEDULED)])
        call = ops.submit(self.bench.keys, QUEUE, batch, bound=bound)
        if bound and waiting + count > bound:
            with pytest.raises(QueueFull):
                self.bench.run(call)
            return
        assert all(submitted.created for submitted in self.bench.run(call))
        status = JobStatus.QUEUED if run_in is None else JobStatus.SCHEDULED
        self.jobs.update({submission.id.uuid: Expected(submission, status) for submission in batch})

    @precondition(lambda self: self.jobs)
    @rule(at=st.integers(0, 99))
    def submit_again(self, at: int) -> None:
        submission = self.jobs[self.pick(at).uuid].submission
        (submitted,) = self.bench.run(ops.submit(self.bench.keys, QUEUE, [submission], bound=1))
        assert not submitted.created

    @rule(worker=st.sampled_from(["a", "b", "c"]), slots=st.integers(1, 3))
    def claim(self, worker: str, slots: int) -> None:
        if worker in self.marked:
            with pytest.raises(ClaimRefused):
                self.bench.claim(worker, slots=slots, busy=self.held(worker))
            return
        busy = self.held(worker)
        if any(claim.alone for claim in self.claims if self.runs(claim) and claim.token.startswith(f"boot-{worker}:")):
            return
        if busy and not self.suspect_runs() and self.dry_worker in {None, worker} and self.suspect_is_overdue():
            self.run_dry(worker, slots, busy)
            return
        waiting = dict(self.of(JobStatus.QUEUED))
        claims = self.bench.claim(worker, slots=slots, busy=busy)
        self.settle_expired(waiting)
        ready = {uuid: job for uuid, job in waiting.items() if job.status is JobStatus.QUEUED}
        innocents = [job for job in ready.values() if job.losses < SUSPECT_LOSSES]
        for claim in claims:
            job = ready.pop(claim.id.uuid)
            innocent = [other for other in ready.values() if other.losses < SUSPECT_LOSSES]
            assert claim.alone or all(job.priority <= other.priority for other in innocent), "a better one still waits"
            assert claim.alone == (job.losses >= SUSPECT_LOSSES)
            assert claim.attempt == job.attempts + 1
            assert claim.token not in {other.token for other in self.claims}
            job.start(claim)
        if any(claim.alone for claim in claims):
            assert busy == 0
            assert len(claims) == 1
            assert not self.suspect_runs() or not innocents, "one at a time while others wait"
            self.suspect, self.dry_worker = claims[0].id.uuid, None
        else:
            left = {uuid for uuid, job in ready.items() if not job.late and job.losses < SUSPECT_LOSSES}
            assert len(claims) == slots or not left, "a slot stayed empty while a job waited"
        self.claims += claims

    def suspect_runs(self) -> bool:
        """Whether the one that was taken last does."""
        return any(claim.id.uuid == self.suspect and self.runs(claim) for claim in self.claims)

    def suspect_is_overdue(self) -> bool:
        """Whether the first one put aside is, but for those that were cancelled."""
        messages = self.bench.ask("LRANGE", self.bench.keys.suspects(QUEUE), 0, -1)
        jobs = (self.jobs.get(uuid_of(message)) for message in reversed(messages))
        return next((job.overdue for job in jobs if job and job.status is JobStatus.QUEUED), False)

    def run_dry(self, worker: str, slots: int, busy: int) -> None:
        with pytest.raises(MustRunDry):
            self.bench.claim(worker, slots=slots, busy=busy)
        self.dry_worker = worker
        assert self.bench.ask("PERSIST", self.bench.keys.suspects_for(QUEUE)), "it must end by itself"

    @rule(order=st.permutations(["a", "b", "c"]), slots=st.integers(1, 2))
    def put_a_suspect_aside(self, order: list[str], slots: int) -> None:
        """One worker loses what it gets, another one holds something and asks again: chance does that too seldom."""
        busy, unlucky = ([worker for worker in order if worker not in self.marked] + order)[:2]
        self.submit(count=2, priority=Priority.NORMAL, most=4, run_in=None, expires_in=None, bound=0)
        self.the_scene_agrees()
        self.claim(worker=busy, slots=slots)
        for _ in range(SUSPECT_LOSSES):
            before = len(self.claims)
            self.claim(worker=unlucky, slots=1)
            self.the_scene_agrees()
            if len(self.claims) > before:
                self.finish(at=0, outcome=Outcome.LOST, delay=0)
                self.the_scene_agrees()
        self.claim(worker=busy, slots=slots)

    @precondition(lambda self: any(job.losses >= SUSPECT_LOSSES for _, job in self.of(JobStatus.QUEUED)))
    @rule()
    def suspects_wait_long(self) -> None:
        for uuid, job in self.of(JobStatus.QUEUED):
            if job.losses >= SUSPECT_LOSSES:
                self.bench.ask("HSET", self.bench.keys.job(QUEUE, uuid), "ready", 1)
                job.overdue = True

    @precondition(lambda self: self.dry_worker)
    @rule()
    def dry_worker_asks_no_more(self) -> None:
        assert self.bench.ask("DEL", self.bench.keys.suspects_for(QUEUE)) == 1
        self.dry_worker = None

    @rule(mark=st.sets(st.sampled_from(["a", "b", "c"])), release=st.sets(st.sampled_from(["a", "b", "c"])))
    def drain(self, mark: set[str], release: set[str]) -> None:
        mark = mark - release
        call = ops.drain(self.bench.keys, QUEUE, epoch=self.epoch, mark=sorted(mark), release=sorted(release))
        assert self.bench.run(call)
        self.marked = (self.marked | mark) - release

    @precondition(lambda self: self.marked)
    @rule()
    def marks_end(self) -> None:
        """Nobody has renewed them."""
        for worker in self.marked:
            self.bench.ask("HSET", self.bench.keys.draining(QUEUE), worker, 1)
        self.marked = set()

    @rule()
    def another_leads(self) -> None:
        older, self.epoch = self.epoch, self.epoch + 1
        assert self.bench.run(ops.drain(self.bench.keys, QUEUE, epoch=self.epoch))
        assert not self.bench.run(ops.drain(self.bench.keys, QUEUE, epoch=older, mark=["a"], release=["b", "c"]))

    def settle_expired(self, waiting: dict[str, Expected]) -> None:
        """Note which waiting jobs a claim found expired. It may stop before it met all of them."""
        for uuid, job in waiting.items():
            if job.late and self.bench.status(JobId(QUEUE, uuid)) is JobStatus.EXPIRED:
                job.status = JobStatus.EXPIRED

    def runs(self, claim: Claim) -> bool:
        job = self.jobs.get(claim.id.uuid)
        return job is not None and job.token == claim.token

    @precondition(lambda self: self.claims)
    @rule(
        at=st.integers(0, 4),
        outcome=st.sampled_from([*Outcome, Outcome.LOST, Outcome.LOST]),
        delay=st.sampled_from([0, 0, 60]),
    )
    def finish(self, at: int, outcome: Outcome, delay: float) -> None:
        """By one of the newest claims, some of them stale."""
        claim = self.claims[-1 - at % len(self.claims)]
        job = self.jobs.get(claim.id.uuid)
        runs, repeated = self.runs(claim), job is not None and job.ended == claim.token
        finished = self.bench.finish(claim, outcome, delay=delay)
        assert (finished.first, finished.written) == (runs, runs or repeated)
        if job and runs:
            by_itself = {Outcome.SUCCEEDED, Outcome.FAILED, *(() if job.cancel else (Outcome.RETRYING,))}
            self.served += outcome in by_itself
            job.end(outcome, delayed=delay > 0)
        assert finished.status == (job.status if job else "")

    @precondition(lambda self: self.claims)
    @rule(at=st.integers(0, 99))
    def renew(self, at: int) -> None:
        claim = self.claims[-1 - at % len(self.claims)]
        job = self.jobs.get(claim.id.uuid)
        (state,) = self.bench.renew(claim)
        if job and self.runs(claim):
            job.renewals += 1
            assert state == (LeaseState.STOP if job.cancel else LeaseState.RENEWED)
        else:
            ended = job is not None and job.ended == claim.token
            assert state == (LeaseState.ENDED if ended else LeaseState.LOST)

    @precondition(lambda self: self.claims)
    @rule(at=st.integers(0, 99))
    def log(self, at: int) -> None:
        claim = self.claims[-1 - at % len(self.claims)]
        assert self.bench.run(ops.report_log(self.bench.keys, claim.id, claim.token, "a line", {})) == self.runs(claim)

    @rule()
    def look_at_leases(self) -> None:
        self.seen = self.bench.leases()

    @precondition(lambda self: self.seen)
    @rule()
    def reap(self) -> None:
        """What was seen may be long ago."""
        states = self.bench.run(ops.reap(self.bench.keys, QUEUE, self.seen))
        for lease, state in zip(self.seen, states, strict=True):
            job = self.jobs.get(lease.uuid)
            if job and job.token == lease.token and job.renewals == lease.beats:
                job.lose()
                assert state == job.status
            else:
                assert state == ""

    @precondition(lambda self: self.jobs)
    @rule(at=st.integers(0, 99))
    def cancel(self, at: int) -> None:
        job_id = self.pick(at)
        job = self.jobs[job_id.uuid]
        status = self.bench.cancel(job_id)
        if job.status in {JobStatus.QUEUED, JobStatus.SCHEDULED}:
            job.status = JobStatus.CANCELLED
        elif job.status is JobStatus.RUNNING:
            job.cancel = True
        assert status == job.status

    @precondition(lambda self: self.jobs)
    @rule(at=st.integers(0, 99))
    def replay(self, at: int) -> None:
        self.replay_one(self.pick(at))

    @precondition(lambda self: any(self.of(JobStatus.FAILED)))
    @rule(at=st.integers(0, 9))
    def replay_a_failed_job(self, at: int) -> None:
        uuids = sorted(uuid for uuid, _ in self.of(JobStatus.FAILED))
        self.replay_one(JobId(QUEUE, uuids[at % len(uuids)]))

    def replay_one(self, job_id: JobId) -> None:
        job = self.jobs[job_id.uuid]
        status = self.bench.replay(job_id)
        if job.status is JobStatus.FAILED:
            job.revive()
        assert status == job.status

    @precondition(lambda self: any(self.of(JobStatus.SCHEDULED)))
    @rule(count=st.integers(1, 5), limit=st.integers(1, 5))
    def time_passes(self, count: int, limit: int) -> None:
        """Some scheduled jobs become due, and the controller releases some of those."""
        for at, uuid in enumerate(self.first("due", count)):
            self.bench.ask("ZADD", self.bench.keys.due(QUEUE), at + 1, uuid)
        late, due = self.past("expiring")[:limit], self.past("due")[:limit]
        released = self.bench.release_due(limit)
        changed = 0
        for uuids, status in ((late, JobStatus.EXPIRED), (due, JobStatus.QUEUED)):
            for job in (self.jobs[uuid] for uuid in uuids if uuid in self.jobs):
                if job.status is JobStatus.SCHEDULED or (job.status is JobStatus.QUEUED and job.late):
                    if status is JobStatus.EXPIRED and not job.late:
                        continue
                    job.status = status
                    changed += 1
        assert released.count == changed

    def first(self, index: str, count: int) -> list[str]:
        """Return members by name: by time, one millisecond more or less would make a run unlike its repetition."""
        names = self.bench.ask("ZRANGE", self.bench.keys.index(QUEUE, index), 0, -1)
        return sorted(name.decode() for name in names)[:count]

    def past(self, index: str) -> list[str]:
        now = datetime.now(UTC).timestamp() * 1000
        names = self.bench.ask("ZRANGEBYSCORE", self.bench.keys.index(QUEUE, index), 0, now)
        return [name.decode() for name in names]

    @precondition(lambda self: any(job.status.terminal for job in self.jobs.values()))
    @rule(count=st.integers(1, 5))
    def sweep(self, count: int) -> None:
        """The retention of some finished jobs ends; those can neither be replayed nor are they kept."""
        over = self.first("kept", count)
        for uuid in over:
            self.bench.ask("ZADD", self.bench.keys.index(QUEUE, "kept"), 1, uuid)
            assert self.bench.replay(JobId(QUEUE, uuid)) == self.jobs[uuid].status
        assert self.bench.forget(*(JobId(QUEUE, uuid) for uuid in self.jobs)) == len(over)
        for uuid in over:
            del self.jobs[uuid]

    @invariant()
    def redis_agrees(self) -> None:
        picture = Picture(self.bench)
        assert list(contradictions(picture)) == []
        found = {
            uuid: (
                JobStatus(record[b"status"].decode()),
                int(record.get(b"attempts", 0)),
                int(record.get(b"losses", 0)),
            )
            for uuid, record in picture.records.items()
        }
        assert found == {uuid: (job.status, job.attempts, job.losses) for uuid, job in self.jobs.items()}
        assert {uuid: token.decode() for uuid, token in picture.leases.items()} == {
            uuid: job.token for uuid, job in self.jobs.items() if job.token
        }
        for uuid, job in self.jobs.items():
            events = picture.events[uuid]
            assert events[: len(job.events)] == job.events, "what was told once must stay as it was"
            job.events = events
            assert ends_are_final(job), events

    @invariant()
    def the_scene_agrees(self) -> None:
        queued = {uuid for uuid, _ in self.of(JobStatus.QUEUED)}
        self.arrived += len(queued - self.queued)
        self.queued = queued
        scene = self.bench.run(ops.read_scenes(self.bench.keys, [QUEUE]))[QUEUE]
        assert scene.waiting == len(queued)
        assert scene.arrived == self.arrived
        assert sum(count for buckets in scene.served.values() for count in buckets.values()) == self.served
        assert {(running.uuid, f"boot-{running.worker}") for running in scene.running} == {
            (uuid, job.token.partition(":")[0]) for uuid, job in self.jobs.items() if job.token
        }
        assert set(scene.draining) == self.marked


def ends_are_final(job: Expected) -> bool:
    """Tell whether after each end only a replay had anything more to tell."""
    names = [orjson.loads(event)["event"] for event in job.events]
    gone_on = [at for at, name in enumerate(names[:-1]) if name in TERMINAL]
    return len(gone_on) == job.replays and all(names[at : at + 2] == ["failed", "queued"] for at in gone_on)


def test_any_order_of_all_scripts_keeps_the_store_whole(redis_url: str) -> None:
    machine = type("Machine", (StoreMachine,), {"url": redis_url})
    bounds = settings(
        max_examples=int(SEARCH or 80),
        stateful_step_count=STEPS,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=SEARCH is None,
        phases=[Phase.generate, Phase.shrink] if SEARCH else [Phase.generate],  # shrinking takes minutes
        database=None,
    )
    run_state_machine_as_test(machine, settings=bounds)
