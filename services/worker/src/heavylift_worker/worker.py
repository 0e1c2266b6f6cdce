"""One worker process: it builds the parts, runs Celery's controller over them, and takes the signals.

SIGTERM and SIGINT drain: no more jobs are claimed, running ones get the grace to end, then they go back to the queue
with no attempt counted. The same signal again, or SIGQUIT, ends the grace at once.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
import uuid
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

import structlog
from celery import signals
from celery.worker import WorkController, state

from heavylift.errors import ConfigurationError
from heavylift.installation import CLAIM_PAUSE, Installation
from heavylift.operations import Claimant
from heavylift_worker.attempt import Bench, begin_child, prepare
from heavylift_worker.celery_app import build_app
from heavylift_worker.desk import Desk
from heavylift_worker.endpoints import endpoints
from heavylift_worker.pool import kill_child
from heavylift_worker.pulse import Pulse
from heavylift_worker.registry import Registry
from heavylift_worker.settings import WorkerSettings
from heavylift_worker.supervisor import Supervisor

logger = structlog.get_logger()


class Controller(WorkController):
    """Celery's controller with a supervisor beside it."""

    def __init__(self, settings: WorkerSettings, registry: Registry, queues: tuple[str, ...], workdirs: Path) -> None:
        claimant = Claimant(worker=settings.worker_name, boot=str(uuid.uuid4()))
        desk = Desk(claimant, slots=settings.concurrency)
        bench = Bench(settings, registry, workdirs)
        prepare(bench)
        self.supervisor = Supervisor(bench, desk, on_empty=self.leave, on_resume=self.wake_loop)
        self.wake_pipe, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)
        self.pulse = Pulse("event loop")
        self._grace = settings.grace.total_seconds()
        super().__init__(
            app=build_app(settings, registry, desk, queues),
            hostname=f"{settings.worker_name}@heavylift",
            loglevel=settings.log_level.upper(),
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
        )

    pool: Any
    """Celery's prefork TaskPool, once started."""

    def take_signals(self) -> None:
        """Drain on SIGTERM, SIGINT and SIGQUIT; hear of a child's end at once.

        The pool looks for the end when a child's pipe closes, which is a moment before the child can be waited for:
        it misses it, and looks again after five seconds (celery 5.7.0, AsynPool._event_process_exit).
        """
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGCHLD, lambda *_: self.wake_loop())

    def claims(self, installation: Installation) -> bool:
        """Wait until Redis is known to be this installation's; False: told to end. Raises ConfigurationError."""
        while not installation.claim():
            if self.supervisor.desk.draining:
                return False
            for pulse in (self.pulse, self.supervisor.pulse):
                pulse.turned()
            time.sleep(CLAIM_PAUSE)
        return True

    def leave(self) -> None:
        """End the event loop. Called by the supervisor when nothing is held any more; safe to call again."""
        # Terminating the pool kills children that hold nothing; closing it would wait for them to notice.
        state.should_terminate = os.EX_OK  # ty: ignore[invalid-assignment] - Celery annotates only the start value
        self.wake_loop()

    def wake_loop(self) -> None:
        """Make the event loop turn. Safe in a signal's handler and from any thread."""
        with suppress(BlockingIOError):  # it is full of wakes already
            os.write(self._wake_write, b"\0")

    def terminate(self, in_sighandler: bool = False) -> None:
        """End the pool. Its children are idle, and killed at once: the pool itself would ask them for 1.5 s."""
        for process in self.pool._pool._pool if self.pool._pool else ():
            kill_child(process)
            process.join()
        super().terminate(in_sighandler)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        again = self.supervisor.desk.draining or number == signal.SIGQUIT
        self.supervisor.drain(grace=0.0 if again else self._grace)


def run_worker(settings: WorkerSettings) -> int:
    """Run a worker until it is told to end, and return its exit code.

    Raises
    ------
    ConfigurationError
        The job modules or queues cannot be served, or there is no folder for jobs to work in.

    """
    registry = Registry.load(settings.jobs)
    queues = settings.queues or registry.queues
    unserved = set(queues) - set(registry.queues)
    if unserved:
        raise ConfigurationError(
            f"HEAVYLIFT_QUEUES (--queues) {','.join(sorted(unserved))}: no loaded job type uses it; those of"
            f" HEAVYLIFT_JOBS (--jobs) use {','.join(sorted(registry.queues))}."
        )
    registry.check_libraries(queues)
    if settings.preload:
        registry.preload()
    signals.worker_process_init.connect(lambda **_: begin_child(), weak=False)
    signals.setup_logging.connect(lambda **_: None, weak=False)  # Celery leaves logging to us where somebody listens
    workdirs = _make_workdirs()
    try:
        controller = Controller(settings, registry, queues, workdirs)
        controller.take_signals()
        logger.info("worker_starting", worker=settings.worker_name, queues=queues, slots=settings.concurrency)
        with endpoints(controller.supervisor, (controller.pulse, controller.supervisor.pulse), queues):
            if controller.claims(Installation(settings)):
                controller.start()
                controller.supervisor.close()
    finally:
        shutil.rmtree(workdirs, ignore_errors=True)
    logger.info("worker_ended", worker=settings.worker_name, processed=controller.supervisor.processed)
    return controller.exitcode or os.EX_OK


def _make_workdirs() -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix="heavylift-"))
    except OSError as error:
        raise ConfigurationError(
            f"Jobs have no folder to work in: {error.strerror}."
            " Mount a writable /tmp, or name another folder with TMPDIR."
        ) from error
