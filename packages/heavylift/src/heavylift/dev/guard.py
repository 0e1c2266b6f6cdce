"""The process that outlives a killed supervisor, to end what it started."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from types import TracebackType
from typing import IO

from heavylift.dev import guard_process


class Guard:
    """Tells the guard's process which sessions are the stack's. Use it as a context manager.

    Parameters
    ----------
    lock
        A file descriptor of the data folder's lock. The guard holds it too, so that no other stack takes the folder
        before the last process is gone.

    """

    def __init__(self, lock: int) -> None:
        self._lock = lock

    def __enter__(self) -> Guard:
        command = [sys.executable, "-I", "-S", guard_process.__file__]
        self._process = subprocess.Popen(  # noqa: S603 - this interpreter on a file of this package
            command, stdin=subprocess.PIPE, start_new_session=True, pass_fds=(self._lock,), text=True, bufsize=1
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._pipe.close()
        self._process.wait()

    @property
    def pid(self) -> int:
        """The process id of the guard itself."""
        return self._process.pid

    def watch(self, leader: int) -> None:
        """Kill the session this process leads if the supervisor ends without having said `forget`."""
        self._tell(f"+{leader}\n")

    def forget(self, leader: int) -> None:
        """Leave the session alone: it has ended."""
        self._tell(f"-{leader}\n")

    def _tell(self, line: str) -> None:
        with contextlib.suppress(BrokenPipeError):  # somebody killed the guard: the stack goes on without it
            self._pipe.write(line)

    @property
    def _pipe(self) -> IO[str]:
        assert self._process.stdin is not None
        return self._process.stdin
