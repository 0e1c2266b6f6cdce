"""The sample jobs, in a worker whose event loop or supervisor a signal blocks for good, as a deadlock would."""

from __future__ import annotations

import signal
import threading

from heavylift_worker.supervisor import Supervisor
from tests.integration.worker.sample_jobs import add, hold

__all__ = ["add", "hold"]

BLOCK_LOOP, BLOCK_SUPERVISOR = signal.SIGRTMIN, signal.SIGRTMIN + 1


def _block_loop(*_: object) -> None:
    """Wait in the main thread, which is the event loop's: signals' handlers run there."""
    threading.Event().wait()


def _block_supervisor(*_: object) -> None:
    """Let the supervisor wait for a lock that nobody gives back."""
    supervisor = next(each for each in threading.enumerate() if isinstance(each, Supervisor))
    supervisor.desk._lock = lock = threading.Lock()  # the event loop meets it too, once it asks the desk
    lock.acquire()


signal.signal(BLOCK_LOOP, _block_loop)
signal.signal(BLOCK_SUPERVISOR, _block_supervisor)
