"""What jobs of both sides do."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel

from tests.faults import journal


class Work(BaseModel):
    """What a job does: sleep, hold memory, start processes, write a file."""

    seconds: float = 0.0
    megabytes: int = 0
    processes: int = 0
    file_kilobytes: int = 0


def do(job: str, work: Work, *, save: Callable[[bytes], object]) -> str:
    """Work, note it in the journal, and return the journal's token of this run."""
    with journal.attempt(job) as notes:
        memory = b"x" * (work.megabytes << 20)
        started = [subprocess.Popen(["sleep", "600"]) for _ in range(work.processes)]
        notes.sleep(work.seconds)
        if work.file_kilobytes:
            save(os.urandom(1024) * work.file_kilobytes)
        for each in started:
            each.kill()
            each.wait()
        del memory
    return notes.token


def kill_own_worker(job: str, work: Work) -> None:
    """Kill the whole worker: its parent, its other children, itself."""
    with journal.attempt(job):
        time.sleep(work.seconds)
        parent = os.getppid()
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        for pid in (parent, *map(int, children)):
            if pid != os.getpid():
                os.kill(pid, signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("still alive")
