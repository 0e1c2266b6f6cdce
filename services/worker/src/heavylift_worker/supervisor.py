"""The thread that keeps a worker's leases and ends what must be ended.

The problem: Celery's event loop blocks while it reconnects, and must not be what leases and time limits depend on. So
this thread has a connection of its own and asks nothing of the loop.

At every heartbeat it renews all leases (one command a queue), and acts on what it finds: a cancel is passed on to
the child and enforced after CANCEL_GRACE, time limits likewise, a lost lease kills the child at once. An attempt is
first ended in the store, then its child is killed: the other way round the loop would take the kill for a loss.

What is not guaranteed: while Redis is away nothing is ended or renewed, and what runs goes on; the reaper gives every
lease a fresh period afterwards.
"""

from __future__ import annotations

import os
import select
import shutil
import signal as signals
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import structlog

from heavylift import operations as ops
from heavylift.constants import CANCEL_GRACE
from heavylift.errors import StoreUnavailable
from heavylift.flower import HEARTBEAT_SECONDS
from heavylift.ids import JobId
from heavylift.model import JobError
from heavylift.operations import Claim, Ending, LeaseState, Outcome
from heavylift.store import Store
from heavylift_worker.attempt import Bench
from heavylift_worker.desk import Desk, Held
from heavylift_worker.meter import Meter
from heavylift_worker.outcome import HUNG, LEASE_LOST, backoff, reported, stillborn
from heavylift_worker.presence import Presence
from heavylift_worker.pulse import Pulse
from heavylift_worker.usage import usage_of, waits_in

logger = structlog.get_logger()

UNKNOWN_TYPE_DELAY = timedelta(seconds=5)
"""Until a job of a type this worker does not know is offered again: a newer worker may be starting."""

HAND_BACK_TIME = CANCEL_GRACE + timedelta(seconds=1)
"""Kept of the grace for asking children to stop, and for writing that their jobs go back to the queue."""

CLEAN_UP_TIME = timedelta(seconds=30)
"""For a child to be free once its attempt's end is written. Removing a large folder takes seconds; a child that hangs
there (a mount that does not answer) would hold its slot, and a drain, for ever."""

_OOM_EVENTS = (Path("/sys/fs/cgroup/memory.events"), Path("/sys/fs/cgroup/memory/memory.oom_control"))
"""Where the kernel counts its out-of-memory kills in this container: with cgroup v2, and with v1."""


class Supervisor(threading.Thread):
    """Renews, stops, ends and drains.

    `on_empty` is called once, when a draining worker holds nothing any more; `on_resume` when a paused one takes jobs
    again.
    """

    def __init__(
        self, bench: Bench, desk: Desk, *, on_empty: Callable[[], None], on_resume: Callable[[], None]
    ) -> None:
        super().__init__(name="supervisor", daemon=True)
        self.desk = desk
        desk.wake = self.wake
        self.registry = bench.registry
        self.settings = bench.settings
        self.processed = 0
        self.meter = Meter()
        self.pulse = Pulse("supervisor")
        self.started = False
        """Whether jobs were taken since the start."""
        self._interval = bench.settings.heartbeat_interval.total_seconds()
        self._bench = bench
        self._flower = bench.flower
        self._on_empty = on_empty
        self._store = Store.from_settings(bench.settings)
        self.presence = Presence(self._store, bench.settings, desk, bench.queues, on_resume=on_resume)
        self._drain_deadline: float | None = None
        self._give_up_at: float | None = None
        self._drain_told = False
        self._said_hello: float | None = None
        self._away_since: float | None = None
        self._oom_kills = _oom_kills()
        self._stillborn_in_a_row = 0
        self._stillborn: Counter[str] = Counter()
        self._published = False
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)
        self._closing = False

    # --- asked by signal handlers and the event loop ---

    def wake(self) -> None:
        """Look at once. Safe in a signal's handler."""
        with suppress(BlockingIOError):  # it is full of wakes already
            os.write(self._wake_write, b"\0")

    def drain(self, *, grace: float) -> None:
        """Take no more jobs, and hand back after `grace` seconds those that still run. Safe in a signal's handler."""
        hand_back_time = HAND_BACK_TIME.total_seconds()
        give_up_at = time.monotonic() + max(grace, hand_back_time)
        if self._give_up_at is None or give_up_at < self._give_up_at:
            self._drain_deadline = give_up_at - hand_back_time
            self._give_up_at = give_up_at
        self.desk.draining = True
        self.wake()

    def reconnected(self) -> None:
        """Say hello again at the next beat: the event loop has a new connection, and Redis may have come back empty."""
        self.started = True
        self._said_hello = None
        self.presence.ready()
        self.wake()

    def job_left(self) -> None:
        """Note that a child has ended its attempt."""
        self.processed += 1
        if self.desk.draining:
            self.wake()

    def began(self, job_id: str) -> None:
        """Note that a child has begun a job."""
        self._stillborn_in_a_row = 0
        self._stillborn.pop(job_id, None)

    def stillbirth(self, job_id: str) -> Ending:
        """Return the ending of an attempt whose process died before it began."""
        self._stillborn_in_a_row += 1
        self._stillborn[job_id] += 1  # whatever begins beside it: this may be about the job, such as a huge input
        return stillborn(max(self._stillborn_in_a_row, self._stillborn[job_id]))

    def loss(self, sentence: str, *, signal: int | None, code: int | None) -> Ending:
        """Return the ending of an attempt whose process died."""
        name = signals.Signals(signal).name if signal else None
        usage = {"exit_signal": name} if name else {}
        if signal == signals.SIGKILL and self._oom_killed():
            error = JobError(type="out_of_memory", message="The job used more memory than its worker has.")
            return Ending(Outcome.LOST, error=error, reason="out of memory", usage=usage)
        what = f"ended by {name}" if name else f"exited with code {code}" if code is not None else sentence
        error = JobError(type="lost", message=f"The process that ran the job was lost: {what}.")
        return Ending(Outcome.LOST, error=error, reason=f"its process {what}", usage=usage)

    def refuse(self, claim: Claim, why: str) -> None:
        """End the attempt at a message that no input can be made of."""
        ending = Ending(
            Outcome.FAILED, error=JobError(type="invalid_input", message=why), reason="invalid input", ran=False
        )
        self.desk.end(str(claim.id), claim.token, ending)
        self.wake()

    def offer_again(self, claim: Claim) -> None:
        """Have a job of an unknown type offered to others, a little later. It counts an attempt."""
        sentence = f"No job type {claim.type!r} on worker {self.settings.worker_name}; check its --jobs and image."
        error = JobError(type="unknown_type", message=sentence)
        ending = Ending(Outcome.RETRYING, error=error, reason=sentence, delay=UNKNOWN_TYPE_DELAY, ran=False)
        self.desk.end(str(claim.id), claim.token, ending)
        self.wake()

    def close(self) -> None:
        """End the thread and say goodbye."""
        self._closing = True
        self.wake()
        self.join(timeout=2 * self._interval)

    # --- the thread ---

    def run(self) -> None:
        """Beat until closed."""
        next_beat = 0.0
        while not self._closing:
            self.pulse.turned()
            beat = time.monotonic() >= next_beat
            if beat:
                next_beat = time.monotonic() + self._interval
            self._tell_drain()
            try:
                self._turn(beat=beat)
                self._contact()
            except StoreUnavailable as error:
                self._no_contact(error)
            except Exception:  # the leases of running jobs depend on this thread: it logs and goes on
                logger.exception("supervisor_turn_failed")
            self._leave_if_done()
            self._rest(next_beat)
        with suppress(StoreUnavailable):
            self._end(self.desk.snapshot())  # what the closing channel gave back
            self._tell_flower("offline")
            self.presence.goodbye()

    def _tell_drain(self) -> None:
        # Here and not in drain(): a signal's handler may have interrupted the very lock that logging needs.
        if self.desk.draining and not self._drain_told:
            self._drain_told = True
            self.meter.drained()
            logger.info("worker_draining", held=self.desk.held())

    def _turn(self, *, beat: bool) -> None:
        self._enforce(self.desk.snapshot())  # first: a soft limit needs no Redis
        if beat:
            self._renew(self.desk.snapshot())
            self._release_lost_claims()
        self._end(self.desk.snapshot())
        with self._on_its_own(what="presence"):
            self.presence.turn()
        if beat:
            self._introduce()

    def _renew(self, held: list[Held]) -> None:
        by_queue: dict[str, list[Held]] = defaultdict(list)
        for each in held:
            if not each.ended:
                by_queue[each.claim.id.queue].append(each)
        for queue, jobs in by_queue.items():
            with self._on_its_own(queue=queue):
                leases = [(each.claim.id.uuid, each.claim.token) for each in jobs]
                for each, state in zip(jobs, self._store.run(ops.renew(self._store.keys, queue, leases)), strict=True):
                    self._heed(each, state)

    def _release_lost_claims(self) -> None:
        for lost in self.desk.lost_claims():
            with self._on_its_own(queue=lost.queue):
                for lease in self._store.run(ops.read_leases(self._store.keys, lost.queue)):
                    if lease.token in lost.tokens:
                        self._release(JobId(lost.queue, lease.uuid), lease.token)
            lost.looks -= 1

    def _release(self, job_id: JobId, token: str) -> None:
        job = self._store.run(ops.read_job(self._store.keys, job_id))
        attempt = job.attempts[-1].number if job and job.attempts else 1
        ending = Ending(Outcome.RELEASED, reason="the answer to its claim was lost")
        self._store.run(
            ops.finish(self._store.keys, job_id, token, ending, attempt=attempt, worker=self.settings.worker_name)
        )
        logger.info("lost_claim_released", job=str(job_id))

    def _heed(self, each: Held, state: LeaseState) -> None:
        claim, job_id = each.claim, str(each.claim.id)
        if state is LeaseState.STOP:
            if self.desk.ask_to_stop(job_id, claim.token, grace=CANCEL_GRACE.total_seconds()):
                logger.info("job_asked_to_stop", job=job_id, reason="cancelled")
        elif state is LeaseState.ENDED:
            self._settle(each, each.ending.outcome.value if each.ending else HUNG)
        elif state is LeaseState.LOST:
            logger.warning("lease_lost", job=job_id)
            self.meter.lease_lost(claim.id.queue)
            self._kill(claim, LEASE_LOST)

    def _settle(self, each: Held, outcome: str) -> None:
        """Act on an attempt that was ended before: perhaps by this worker, whose child must end then."""
        if each.end_sent:
            self._kill(each.claim, outcome)
        else:  # the child was quicker; it is free in a moment
            self.desk.settle(str(each.claim.id), each.claim.token, patience=CLEAN_UP_TIME.total_seconds())

    def _enforce(self, held: list[Held]) -> None:
        now = time.monotonic()
        handing_back = self._drain_deadline is not None and now >= self._drain_deadline
        for each in held:
            with self._on_its_own(job=str(each.claim.id)):
                self._enforce_one(each, now, handing_back=handing_back)

    def _enforce_one(self, each: Held, now: float, *, handing_back: bool) -> None:
        job_id, token = str(each.claim.id), each.claim.token
        if handing_back and self.desk.ask_to_stop(job_id, token, grace=CANCEL_GRACE.total_seconds()):
            logger.info("job_asked_to_stop", job=job_id, reason="grace is over")
        if each.free_by is not None:
            if now >= each.free_by and not each.gone:
                logger.warning("child_hangs_after_its_job", job=job_id, pid=each.pid, waits_in=waits_in(each.pid))
                self._kill(each.claim, HUNG)
            return
        running = now - each.started_at if each.started_at is not None else 0.0
        if each.soft_limit and running >= each.soft_limit:
            self.desk.tell_soft_limit(job_id, token)
        if each.hard_limit and running >= each.hard_limit:
            self.desk.end(job_id, token, self._timed_out(each))
        elif each.stop_deadline is not None and now >= each.stop_deadline:
            # The script turns it into a cancel where one was asked for.
            self.desk.end(job_id, token, Ending(Outcome.RELEASED, reason="stopped"))

    def _timed_out(self, held: Held) -> Ending:
        policy = self.registry.types[held.claim.type].retry
        error = JobError(type="time_limit", message=f"The job ran longer than its limit of {held.hard_limit:g} s.")
        delay = backoff(policy, held.claim.attempt)
        return Ending(Outcome.RETRYING, error=error, reason="time limit", delay=delay)

    def _end(self, held: list[Held]) -> None:
        for each in held:
            if each.ending is not None:
                with self._on_its_own(job=str(each.claim.id)):
                    self._end_one(each, each.ending)

    def _end_one(self, each: Held, ending: Ending) -> None:
        claim = each.claim
        if each.pid is not None and "exit_signal" not in ending.usage:
            ending = replace(ending, usage=usage_of(each.pid))
        finish = ops.finish(
            self._store.keys,
            claim.id,
            claim.token,
            ending,
            attempt=claim.attempt,
            worker=self.settings.worker_name,
            publish=self._flower.attempt_ended(
                str(claim.id), claim.type, succeeded=False, facts={"exception": ending.reason}
            ),
        )
        self.desk.send_end(str(claim.id), claim.token)
        finished = self._store.run(finish)
        logger.info("attempt_ended_by_worker", job=str(claim.id), outcome=ending.outcome.value, status=finished.status)
        if finished.first or not finished.written or each.gone:
            self._kill(claim, reported(ending, finished))
        else:
            self._settle(each, reported(ending, finished))

    def _kill(self, claim: Claim, outcome: str) -> None:
        """Kill the child, if there is one, and count its attempt's end: it will not tell of one itself."""
        workdir = self._bench.workdir(claim.token)
        held = self.desk.kill(str(claim.id), claim.token)
        if held:
            self.meter.finished(held, outcome)
        if held and workdir.exists():
            # A million files take longer than a lease lasts.
            threading.Thread(target=shutil.rmtree, args=(workdir,), kwargs={"ignore_errors": True}, daemon=True).start()

    def _introduce(self) -> None:
        if self._said_hello is None or time.monotonic() - self._said_hello >= HEARTBEAT_SECONDS:
            if not self.desk.draining:
                self._publish_types()
            self._tell_flower("heartbeat")
            self._said_hello = time.monotonic()

    def _publish_types(self) -> None:
        # What is there later on may be a newer worker's, and stays; but a Redis that came back empty learns of them.
        infos = [each.info() for each in self.registry.types.values()]
        if self._published:
            names = self._store.run(ops.read_type_names(self._store.keys))
            infos = [each for each in infos if each.type not in names]
        self._store.run(ops.publish_types(self._store.keys, infos))
        self._published = True

    def _tell_flower(self, event: str) -> None:
        self._store.run(self._flower.worker_says(event, active=self.desk.held(), processed=self.processed))

    def _leave_if_done(self) -> None:
        # With Redis away nothing can be handed back: after the grace the reaper must do it.
        given_up = self._give_up_at is not None and time.monotonic() >= self._give_up_at
        if self.desk.draining and (given_up or self.desk.empty()):
            self._on_empty()

    def _contact(self) -> None:
        if self._away_since is not None:
            logger.info("redis_is_back", away_seconds=round(time.monotonic() - self._away_since, 1))
            self._away_since = None

    def _no_contact(self, error: StoreUnavailable) -> None:
        if self._away_since is None:
            self._away_since = time.monotonic()
            logger.warning("redis_is_away", error=str(error), held=self.desk.held())

    def _rest(self, next_beat: float) -> None:
        held = self.desk.snapshot()
        deadlines = [each for one in held for each in (one.stop_deadline, one.free_by) if each is not None]
        deadlines.append(self.presence.due())
        deadlines += [each for each in (self._drain_deadline, self._give_up_at) if each is not None]
        now = time.monotonic()
        wait = min([next_beat, *(deadline for deadline in deadlines if deadline > now)]) - now
        readable, _, _ = select.select([self._wake_read], [], [], max(0.0, wait))
        if readable:
            os.read(self._wake_read, 4096)

    def _oom_killed(self) -> bool:
        before, self._oom_kills = self._oom_kills, _oom_kills()
        return self._oom_kills > before

    @contextmanager
    def _on_its_own(self, **what: str) -> Generator[None]:
        """Log what goes wrong with one queue or job, so that the others are seen to. Redis being away is for all."""
        self.pulse.turned()  # a Redis that answers each of them slowly makes a long turn
        try:
            yield
        except StoreUnavailable:
            raise
        except Exception:
            logger.exception("supervisor_turn_failed", **what)


def _oom_kills() -> int:
    for file in _OOM_EVENTS:
        with suppress(OSError):
            counts = dict(line.split(" ", 1) for line in file.read_text().splitlines())
            return int(counts.get("oom_kill", 0))
    return 0
