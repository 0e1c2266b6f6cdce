"""Celery's prefork pool, with what it does otherwise when a child dies early or cannot be made.

The problem: a job whose child dies before it says that it has begun is written to the next child, for as long as that
goes on, and nobody is told. A child that did begin, and whose word of it was not read yet, counts as one that did not:
its job runs twice under one claim. The pipes of a dead child are given to the next one, with whatever lies in them: a
job that was given back since, or the rest of one. And a child that cannot be made leaves the pool in a state that ends
the worker.

The invariant: a job goes to one child. What becomes of it then is decided by whoever is told that the child was lost.

All of this is about what celery 5.7.0 (AsynPool) and billiard 4.3 (Pool) do inside.
"""

from __future__ import annotations

import os
import traceback
from typing import Any

import structlog
from billiard.popen_fork import Popen
from celery.concurrency.asynpool import AsynPool
from celery.concurrency.prefork import TaskPool

logger = structlog.get_logger()


class JobPool(AsynPool):
    """Children that run jobs."""

    _find_worker_queues: Any
    _pool: list[Any]
    on_process_down: Any
    _queues: dict[Any, Any]

    def on_partial_read(self, job: Any, proc: Any) -> None:  # noqa: ANN401 - Celery's
        """Have a job lost whose child died before it began; Celery would hand it to the next child."""
        if not job._accepted:
            self.process_flush_queues(proc)  # it may have said that it began, and even that it has ended
        if not job._accepted:
            job._accepted = True  # by the dead one: this is what keeps Celery from putting it back
            self.mark_as_worker_lost(job, proc.exitcode)
        super().on_partial_read(job, proc)

    def _process_cleanup_queues(self, proc: Any) -> None:  # noqa: ANN401 - Celery's
        """Have the pipes of a dead child end with it."""
        if proc.dead:  # as on_partial_read() had it
            return
        self.on_process_down(proc)  # while their numbers are still its own
        proc.dead = True
        self.destroy_queues(self._find_worker_queues(proc), proc)
        self._queues[self.create_process_queues()] = None

    def _repopulate_pool(self, exitcodes: list[int]) -> None:
        """Replace dead children, as far as the system lets. The pool tries again after its five seconds, and sooner."""
        try:
            super()._repopulate_pool(exitcodes)
        except (OSError, MemoryError) as error:
            if not self._withdraw_unstarted():
                raise  # a child that nobody listens to is worse than another worker
            _close_pipe_of_refused_fork(error)
            logger.warning(
                "fork_refused",
                error=str(error) or type(error).__name__,
                children=len(self._pool),
                wanted=self._processes,
                remedy="More pids or memory for the container or node, or fewer slots (HEAVYLIFT_CONCURRENCY).",
            )

    def _withdraw_unstarted(self) -> bool:
        """Take back what was not started; whether there was any. Celery would take it for one that has ended."""
        unstarted = [each for each in self._pool if each._popen is None]
        for process in unstarted:
            self._pool.remove(process)
            self._queues[self._find_worker_queues(process)] = None
        return bool(unstarted)


def _close_pipe_of_refused_fork(error: BaseException) -> None:
    # Popen._launch makes a pipe for the child and forgets it where the fork fails: two files every few seconds.
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code is Popen._launch.__code__:
            for name in {"parent_r", "child_w"} & frame.f_locals.keys():
                os.close(frame.f_locals[name])


class JobTaskPool(TaskPool):
    """The pool as Celery's controller wants it."""

    Pool = JobPool
