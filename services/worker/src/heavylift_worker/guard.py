"""The worker's side of the guard: a small process that cleans up when the worker dies without a word.

The problem: the kernel kills the worker's children with it (PR_SET_PDEATHSIG), but not what those had started: an
encoder would go on using a core for a job that runs elsewhere by then. Nor does anybody remove the attempts' folders.

What is not guaranteed: a process that left its child's group (setsid) stays. In a container the kernel ends that one
too.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from heavylift_worker import guard_process


class Guard:
    """Where children announce themselves. A process of its own, not a fork: that would hold a copy of this one."""

    def __init__(self, workdirs: Path) -> None:
        reader, self._writer = os.pipe()
        command = [sys.executable, "-I", "-S", guard_process.__file__, str(os.getpid()), str(workdirs)]
        self._process = subprocess.Popen(command, stdin=reader, start_new_session=True)  # noqa: S603 - a file of ours
        os.close(reader)

    def announce(self) -> None:
        """Tell that the calling process leads a group of its own."""
        with suppress(BrokenPipeError):  # somebody killed the guard; jobs go on without it
            os.write(self._writer, b"%d\n" % os.getpid())
