"""One attempt at a job, in a child process: check the input, run the function, end the attempt in the store.

The child ends its own attempt; the parent does so only for a child that died or must be killed. Both do it with the
claim's token, so whoever comes second changes nothing.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import time
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from types import FrameType
from typing import NamedTuple

import structlog
from pydantic import BaseModel, JsonValue, ValidationError

from heavylift import JobFailed, JobType
from heavylift import operations as ops
from heavylift.artifacts import ArtifactStore
from heavylift.errors import HeavyliftError, SoftTimeLimitExceeded, StoreUnavailable
from heavylift.flower import Flower
from heavylift.ids import JobId, created_ms, is_uuid7
from heavylift.operations import Ending, Finished, Outcome
from heavylift.store import Store
from heavylift_worker.context import AttemptContext
from heavylift_worker.descendants import adopt_orphans, die_with, end_leftovers
from heavylift_worker.guard import Guard
from heavylift_worker.outcome import ending_of, invalid_input, reported, unwritable
from heavylift_worker.registry import Registry
from heavylift_worker.settings import WorkerSettings
from heavylift_worker.usage import Usage

logger = structlog.get_logger()

MAX_OUTPUT = 1024 * 1024
"""Bytes of an output as JSON: it lies in Redis's memory as long as the job is remembered."""

RETRY_PAUSE = 0.2
"""Seconds between two tries to end an attempt while Redis is away. Its lease stays this worker's that long."""


class Assignment(NamedTuple):
    """What a child needs to know of a claimed job. Small: it crosses a pipe."""

    queue: str
    uuid: str
    token: str
    type: str
    attempt: int
    input: bytes
    """JSON."""


class Bench:
    """What a child process keeps between attempts. Made before the fork; connections open in the child."""

    def __init__(self, settings: WorkerSettings, registry: Registry, workdirs: Path) -> None:
        self.settings = settings
        self.registry = registry
        self.workdirs = workdirs
        self.storage = ArtifactStore.from_url(settings.artifacts_url)
        self.worker_pid = os.getpid()
        self.guard = Guard(workdirs)
        self.flower = Flower.of(settings, settings.worker_name)

    @property
    def queues(self) -> tuple[str, ...]:
        """The queues that the worker serves, in order."""
        return self.settings.queues or self.registry.queues

    @cached_property
    def store(self) -> Store:
        """The child's own connection."""
        return Store.from_settings(self.settings)

    def workdir(self, token: str) -> Path:
        """Return the folder of the attempt with this token."""
        return self.workdirs / token.rpartition(":")[2]


_bench: Bench | None = None
_attempt: Attempt | None = None
"""What signals are about. A signal's handler is given nothing else, hence the module's variable."""
_home = Path()
"""The worker's working directory."""


def prepare(bench: Bench) -> None:
    """Set what the children to be forked will use."""
    global _bench  # noqa: PLW0603 - the pool hands its children a function, not an object
    _bench = bench


def begin_child() -> None:
    """Make a fresh child process ready: a group of its own to be killed with, and orphans adopted."""
    global _home  # noqa: PLW0603
    assert _bench is not None, "prepare() comes before the pool's first fork"
    os.setpgid(0, 0)
    _bench.guard.announce()
    die_with(_bench.worker_pid)
    adopt_orphans()
    _home = Path.cwd()
    signal.signal(signal.SIGUSR2, _on_stop)  # a stop may come before the first attempt listens
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # the parent's handler is about the parent's children
    # The pool's children are daemonic, which forbids children of their own: DataLoader workers, multiprocessing pools.
    config = multiprocessing.process.current_process()._config  # ty: ignore[missing-attribute]
    config["daemon"] = False
    # And their key is of billiard's own type, which the standard library cannot hand to a spawned process.
    config["authkey"] = multiprocessing.process.AuthenticationString(config["authkey"])  # ty: ignore[missing-attribute]


def run_attempt(assignment: Assignment) -> str:
    """Run one attempt to its end in the store; returns how it ended. What goes wrong is written there, not raised."""
    global _attempt  # noqa: PLW0603
    assert _bench is not None, "prepare() comes before the pool's first fork"
    _forget_last_job()
    _attempt = Attempt(assignment, _bench)
    try:
        return _attempt.run()
    finally:
        _attempt = None


def _forget_last_job() -> None:
    # A job's code may have changed them; and billiard takes SIGUSR1 for itself after begin_child().
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    signal.signal(signal.SIGUSR1, _on_soft_limit)
    signal.signal(signal.SIGUSR2, _on_stop)
    os.chdir(_home)


class Attempt:
    """One run of a job's code."""

    def __init__(self, assignment: Assignment, bench: Bench) -> None:
        self.assignment = assignment
        self.bench = bench
        self.id = JobId(assignment.queue, assignment.uuid)
        self.started_at = time.time()
        self.in_job_code = False
        self.past_soft_limit = False
        self.task: asyncio.Task[BaseModel | None] | None = None
        self.context = AttemptContext(
            self.id,
            assignment.token,
            assignment.attempt,
            store=bench.store,
            storage=lambda: bench.storage,
            workdir=bench.workdir(assignment.token),
        )

    def run(self) -> str:
        """Run the job and end the attempt in the store; returns how it ended."""
        usage = Usage()
        ending = self._work(self.bench.registry.types[self.assignment.type])
        leftovers = end_leftovers()
        finished = self._finish(ending, usage.read())
        self._clean_up(published=finished.written and finished.status == Outcome.SUCCEEDED)
        logger.info(
            "attempt_ended",
            job=str(self.id),
            type=self.assignment.type,
            attempt=self.assignment.attempt,
            outcome=ending.outcome.value,
            status=finished.status,
            lease_lost=not finished.written,
            seconds=round(time.time() - self.started_at, 3),
            leftovers=leftovers,
        )
        return reported(ending, finished)

    def _work(self, job_type: JobType) -> Ending:
        try:
            job_input = job_type.input_model.model_validate_json(self.assignment.input)
        except ValidationError as error:
            return invalid_input(error)
        try:
            output = self._call(job_type, job_input)
        except BaseException as error:  # noqa: BLE001 - the boundary of job code: SystemExit too is an attempt's end
            return ending_of(error, job_type, attempt=self.assignment.attempt, stopping=self.context.stopping)
        if self.context.told_to_stop:  # the script turns it into a cancel where one was asked for
            return Ending(Outcome.RELEASED, reason="stopped")
        return Ending(Outcome.SUCCEEDED, output=output, artifacts=list(self.context.staged.values()))

    def _call(self, job_type: JobType, job_input: BaseModel) -> bytes | None:
        if job_type.is_async:
            with asyncio.Runner() as runner:
                output = runner.run(self._await(job_type, job_input))
        else:
            self.in_job_code = True
            try:
                output = job_type.function(self.context, job_input)
            finally:
                self.in_job_code = False
        expected = job_type.output_model
        if not isinstance(output, expected or type(None)):
            wanted = expected.__name__ if expected else "None"
            raise TypeError(f"{job_type.name} returned {type(output).__name__}, its annotation says {wanted}")
        return _dumped(output) if isinstance(output, BaseModel) else None

    async def _await(self, job_type: JobType, job_input: BaseModel) -> BaseModel | None:
        self.task = asyncio.ensure_future(job_type.function(self.context, job_input))
        if self.context.stopping:
            self._cancel_now()
        try:
            return await self.task
        except asyncio.CancelledError as error:
            if self.past_soft_limit and not self.context.stopping:
                raise self._soft_limit_error() from error
            raise

    def stop(self) -> None:
        """Ask the job's code to stop: `ctx.cancelled` from now on, and a cancel of a coroutine."""
        self.context.stopping = True
        self._cancel_task()

    def pass_soft_limit(self) -> None:
        """Interrupt the job's code, and nothing after it."""
        self.past_soft_limit = True
        if self.in_job_code:
            raise self._soft_limit_error()
        self._cancel_task()

    def _soft_limit_error(self) -> SoftTimeLimitExceeded:
        limit = self.bench.registry.types[self.assignment.type].soft_time_limit or timedelta(0)
        return SoftTimeLimitExceeded(f"The job ran longer than its soft limit of {limit.total_seconds():g} s.")

    def _cancel_task(self) -> None:
        # Signals are heard between any two bytecodes of the loop: the loop is told, and does it in its own turn.
        if self.task is not None and not self.task.done():
            self.task.get_loop().call_soon_threadsafe(self._cancel_now)

    def _cancel_now(self) -> None:
        if self.task is not None and self.task.cancel() and self.context.stopping:
            self.context.told_to_stop = True

    def _finish(self, ending: Ending, usage: dict[str, JsonValue]) -> Finished:
        try:
            return self._write(ending, usage)
        except Exception as error:
            logger.exception("unwritable_end", job=str(self.id), outcome=ending.outcome.value)
            return self._write(unwritable(error), usage)

    def _write(self, ending: Ending, usage: dict[str, JsonValue]) -> Finished:
        call = ops.finish(
            self.bench.store.keys,
            self.id,
            self.assignment.token,
            replace(ending, usage=usage),
            attempt=self.assignment.attempt,
            worker=self.bench.settings.worker_name,
            publish=self._flower_event(ending),
        )
        while True:
            try:
                return self.bench.store.run(call)
            except StoreUnavailable as error:
                # The parent renews the lease as soon as Redis is back, and kills this process if it is lost.
                logger.warning("finish_waits_for_redis", job=str(self.id), error=str(error))
                time.sleep(RETRY_PAUSE)

    def _flower_event(self, ending: Ending) -> tuple[str, bytes]:
        facts: dict[str, JsonValue] = {
            "received": self._received_at(),
            "started": self.started_at,
            "runtime": time.time() - self.started_at,
            "retries": self.assignment.attempt - 1,
        }
        if ending.error:
            facts |= {"exception": ending.error.message, "traceback": ending.error.detail}
        succeeded = ending.outcome is Outcome.SUCCEEDED
        return self.bench.flower.attempt_ended(str(self.id), self.assignment.type, succeeded=succeeded, facts=facts)

    def _received_at(self) -> float:
        return created_ms(self.id.uuid) / 1000 if is_uuid7(self.id.uuid) else self.started_at

    def _clean_up(self, *, published: bool) -> None:
        try:
            self.context.clean_up(published=published)
        except HeavyliftError as error:  # the controller sweeps what is left, with the job's record
            logger.warning("clean_up_failed", job=str(self.id), error=str(error))


def _dumped(output: BaseModel) -> bytes:
    text = output.model_dump_json().encode()
    if len(text) > MAX_OUTPUT:
        raise JobFailed(f"The output has {len(text)} bytes, more than {MAX_OUTPUT}: publish it as an artifact.")
    return text


def _on_stop(_number: int, _frame: FrameType | None) -> None:
    if _attempt is not None:
        _attempt.stop()


def _on_soft_limit(_number: int, _frame: FrameType | None) -> None:
    if _attempt is not None:
        _attempt.pass_soft_limit()
