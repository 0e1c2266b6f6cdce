"""A claimed job on its way through Celery's pool: handed to a child, heard of when it ends or dies.

It stands in the place of Celery's Request and trace, which acknowledge, store results and send events of their own;
here one script does all of that at the end of the attempt.
"""

from __future__ import annotations

import re
import select
from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

import orjson
import structlog
from billiard.einfo import ExceptionInfo
from celery import Celery, Task
from kombu.message import Message

from heavylift import JobType
from heavylift.errors import HeavyliftError
from heavylift.operations import Claim, Ending, Outcome
from heavylift.transport import CLAIM_HEADER
from heavylift_worker.adoption import adopted_input
from heavylift_worker.attempt import Assignment, run_attempt
from heavylift_worker.consumer import JobConsumer
from heavylift_worker.desk import kill_group
from heavylift_worker.supervisor import Supervisor

logger = structlog.get_logger()

_SIGNAL = re.compile(r"signal (\d+)")
"""In billiard's sentence about a lost process (billiard 4.3, common.human_status)."""

_EXIT_CODE = re.compile(r"exitcode (-?\d+)")


class JobRequest:
    """One claimed job."""

    def __init__(self, claim: Claim, consumer: JobConsumer) -> None:
        self.claim = claim
        self.id = str(claim.id)
        self.pool = consumer.pool
        self.supervisor = supervisor = consumer.supervisor
        self.desk = supervisor.desk
        self.pid: int | None = None

    def start(self, job_input: bytes) -> None:
        """Hand the job to a child. The pool has a free one for it: the desk claims no more than there are slots."""
        claim = self.claim
        assignment = Assignment(claim.id.queue, claim.id.uuid, claim.token, claim.type, claim.attempt, job_input)
        accepted = self.pool.apply_async(
            run_attempt,
            args=(assignment,),
            accept_callback=self.on_accepted,
            callback=self.on_returned,
            error_callback=self.on_lost,
            correlation_id=self.id,
        )
        if accepted is None:  # the pool is closing
            self.desk.end(self.id, claim.token, Ending(Outcome.RELEASED, reason="worker is closing"))
        else:
            _send_at_once(accepted)

    def on_accepted(self, pid: int, _time_accepted: float) -> None:
        """Note the child that runs it. A job that was cancelled or lost meanwhile is not to be run."""
        self.pid = pid
        self.supervisor.began(self.id)
        if self.desk.started(self.id, self.claim.token, pid):
            self.supervisor.meter.began(self.claim)
        else:
            kill_group(pid)

    def on_returned(self, outcome: str) -> None:
        """Forget the job: the child has ended its attempt."""
        held = self.desk.leave(self.id, self.claim.token)
        if held:  # else the supervisor has ended it, and counted it
            self.supervisor.meter.finished(held, outcome)
        self.supervisor.job_left()

    def on_lost(self, info: ExceptionInfo) -> None:
        """Have the attempt of a dead child ended. A child that never began it counts no attempt."""
        if self.pid is not None:
            kill_group(self.pid)  # what it started
        sentence = str(info.exception)
        if self.pid is None:
            ending = self.supervisor.stillbirth(self.id)
        else:
            ending = self.supervisor.loss(
                sentence, signal=_number(_SIGNAL, sentence), code=_number(_EXIT_CODE, sentence)
            )
        self.desk.lose(self.id, self.claim.token, ending)
        self.supervisor.wake()


def strategy(task: Task, app: Celery, consumer: JobConsumer) -> Callable[..., None]:  # noqa: ARG001 - Celery's signature
    """Return what the consumer does with a message of this job type."""
    supervisor = consumer.supervisor
    job_type = supervisor.registry.types[str(task.name)]
    soft, hard = _seconds(job_type.soft_time_limit), _seconds(job_type.time_limit)

    def receive(message: Message, *_: object) -> None:
        claim: Claim = message.headers[CLAIM_HEADER]
        request = JobRequest(claim, consumer)
        job_input = _input(claim, job_type, supervisor)
        if job_input is not None:
            supervisor.desk.limit(request.id, soft=soft, hard=hard)
            request.start(job_input)

    return receive


def _input(claim: Claim, job_type: JobType, supervisor: Supervisor) -> bytes | None:
    """Return the job's input; None for an adopted message that cannot or must not start now: its end is noted."""
    if claim.input is not None:
        return claim.input
    try:
        adopted = adopted_input(orjson.loads(claim.message), job_type.input_model)
    except HeavyliftError as error:
        supervisor.refuse(claim, str(error))
        return None
    if isinstance(adopted, Ending):
        supervisor.desk.end(str(claim.id), claim.token, adopted)
        supervisor.wake()
        return None
    return adopted


class _Written(Protocol):
    """A job as Celery's pool is about to write it to a child."""

    _payload: tuple[memoryview, memoryview, int]


def _send_at_once(accepted: _Written) -> None:
    """Have the pool write the job's length and the job in one piece: 6 % more jobs a second, where they are short.

    To celery 5.7.0 (AsynPool._write_job) the length is written once its four bytes are, and a body of no length then
    needs no write. A pipe takes a piece of up to PIPE_BUF whole or not at all.
    """
    header, body, size = accepted._payload
    if len(header) + size <= select.PIPE_BUF:
        accepted._payload = memoryview(bytes(header) + bytes(body)), memoryview(b""), 0


def _seconds(limit: timedelta | None) -> float | None:
    return limit.total_seconds() if limit else None


def _number(pattern: re.Pattern[str], sentence: str) -> int | None:
    match = pattern.search(sentence)
    return int(match[1]) if match else None
