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
import signal
import traceback
from typing import Any

import structlog
from billiard.popen_fork import Popen
from celery.concurrency.asynpool import AsynPool, _get_job_writer
from celery.concurrency.prefork import TaskPool
from kombu.asynchronous import Hub

from heavylift_worker.desk import kill_group

logger = structlog.get_logger()


class JobPool(AsynPool):
    """Children that run jobs."""

    _cache: dict[int, Any]
    _find_worker_queues: Any
    _listener: Hub
    _pool: list[Any]
    _queues: dict[Any, Any]
    on_process_down: Any

    def register_with_event_loop(self, hub: Hub) -> None:
        """Have the loop watch the pool, again after every lost connection.

        A child that died a moment before is still in the pool's list, but watched no more; to Celery that is an error
        that ends the worker (AsynPool._track_child_process). Forgotten, it is watched like the others.
        """
        for process in self._pool:
            if getattr(process, "_sentinel_poll", -1) is None:
                del process._sentinel_poll
        self._listener = hub
        super().register_with_event_loop(hub)

    def silent_children(self) -> list[Any]:
        """Return the children that were handed a job of which they have not said a word yet."""
        jobs = self._cache.values()
        return [job._write_to for job in jobs if not job._accepted and job._write_to is not None]

    def on_partial_read(self, job: Any, proc: Any) -> None:  # noqa: ANN401 - Celery's
        """Have a job lost whose child died before it began; Celery would hand it to the next child."""
        if not job._accepted:
            self.process_flush_queues(proc)  # it may have said that it began, and even that it has ended
        if not job._accepted:
            job._accepted = True  # by the dead one: this is what keeps Celery from putting it back
            self.mark_as_worker_lost(job, proc.exitcode)
        self._active_writers.discard(_get_job_writer(job))
        self._process_cleanup_queues(proc)

    def _process_cleanup_queues(self, proc: Any) -> None:  # noqa: ANN401 - Celery's
        """Have the pipes of a dead child end with it, and all that the loop knows of them."""
        if proc.dead:  # it was seen to before
            return
        self.on_process_down(proc)  # while their numbers are still its own
        proc.dead = True
        self.destroy_queues(self._find_worker_queues(proc), proc)

    def get_process_queues(self) -> Any:  # noqa: ANN401 - Celery's
        """Return pipes for a new child. Made here and not at a death, where a refusal would lose count of them."""
        free = next((queues for queues, owner in self._queues.items() if owner is None), None)
        if free is None:
            free = self.create_process_queues()
            self._queues[free] = None
        return free

    def maintain_pool(self) -> None:
        """Replace dead children, once the event loop listens: one made before would not be heard."""
        if self._registered_with_event_loop:
            super().maintain_pool()

    def _repopulate_pool(self, exitcodes: list[int]) -> None:
        """Replace dead children, as far as the system lets. The pool tries again after its five seconds, and sooner."""
        try:
            super()._repopulate_pool(exitcodes)
        except (OSError, MemoryError) as error:
            self._withdraw_unstarted()
            self._end_unheard()
            _close_pipe_of_refused_fork(error)
            logger.warning(
                "fork_refused",
                error=str(error) or type(error).__name__,
                children=len(self._pool),
                wanted=self._processes,
                remedy=(
                    "More pids, memory, open files or /dev/shm for the container or node,"
                    " or fewer slots (HEAVYLIFT_CONCURRENCY)."
                ),
            )

    def _withdraw_unstarted(self) -> None:
        """Take back what was not started. Celery would take it for one that has ended."""
        for process in [each for each in self._pool if each._popen is None]:
            self._pool.remove(process)
            self._queues[self._find_worker_queues(process)] = None

    def _end_unheard(self) -> None:
        """Kill children that were made, but the loop was not to be had to listen to: they are replaced as any dead."""
        for process in self._pool:
            if process.outqR_fd not in self._listener.readers:
                kill_child(process)


def kill_child(process: Any) -> None:  # noqa: ANN401 - billiard's
    """Kill a child of the pool with its group, of which it may not be the leader yet.

    To ask whether it lives is to wait for it: only what lives then is sure to have its number still.
    """
    kill_group(process.pid)
    if process._is_alive():
        os.kill(process.pid, signal.SIGKILL)


def _close_pipe_of_refused_fork(error: BaseException) -> None:
    # Popen._launch makes a pipe for the child and forgets it where the fork fails: two files every few seconds.
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code is Popen._launch.__code__:
            for name in {"parent_r", "child_w"} & frame.f_locals.keys():
                os.close(frame.f_locals[name])


class JobTaskPool(TaskPool):
    """The pool as Celery's controller wants it."""

    Pool = JobPool
