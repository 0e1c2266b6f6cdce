"""Processes that job code started and left behind.

A child adopts its orphaned grandchildren (PR_SET_CHILD_SUBREAPER), so that whatever an attempt started is found below
the child when it ends, and not a slot's burden for ever.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog

from heavylift_worker.usage import waits_in

logger = structlog.get_logger()

ROUNDS = 5
"""How often to look again: the orphans of what was killed are found then. A thread that goes on starting processes must
not keep the attempt from its end."""

PATIENCE = 2.0
"""Seconds for all that was killed to be gone. A process that waits for a mount in vain is killed and never gone."""

LOOK_PAUSE = 0.001
"""Seconds between two looks for the end of what was killed, which most reach in less."""

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36

_staying: set[int] = set()
"""Those of this process's that could not be ended. As long as they are not waited for, nobody else gets their pids."""


def die_with(parent: int) -> None:
    """Have the kernel kill this process when the thread of `parent` that forked it ends. Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:  # it died before that
            os._exit(os.EX_OK)


def adopt_orphans() -> None:
    """Make this process the parent of its descendants whose own parent ends. Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_leftovers() -> int:
    """Kill every process below this one and return how many there were.

    One that cannot be killed stays, and is told of once: another user's, as a setuid program's is, or one that the
    kernel holds, as a file system that does not answer has it do.
    """
    ended, deadline = 0, time.monotonic() + PATIENCE
    _staying.difference_update({pid for pid in _staying if _reaped(pid)})
    for _ in range(ROUNDS):
        found = set(_children()) - _staying if _has_children() else None
        if not found:
            break
        dying = {pid for pid in found if _killed(pid)}
        staying = sorted(found - dying | _outlasting(dying, deadline))
        if staying:
            logger.warning("leftovers_stay", pids=staying, waits_in=[waits_in(pid) for pid in staying])
        _staying.update(staying)
        ended += len(found) - len(staying)
    if ended:
        _forget_fork_server()
    return ended


def _killed(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except PermissionError:
        return False
    except ProcessLookupError:
        pass
    return True


def _outlasting(dying: set[int], deadline: float) -> set[int]:
    """Wait for their ends, and return those that are not over at the deadline."""
    while left := {pid for pid in dying if not _reaped(pid)}:
        if time.monotonic() >= deadline:
            break
        time.sleep(LOOK_PAUSE)
        dying = left
    return left


def _reaped(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def _forget_fork_server() -> None:
    # Multiprocessing would wait for its server, find that it is no child any more, and raise (CPython 3.11-3.14).
    server: Any = getattr(sys.modules.get("multiprocessing.forkserver"), "_forkserver", None)
    if server is not None and server._forkserver_pid is not None:
        with suppress(OSError):
            os.close(server._forkserver_alive_fd)
        server._forkserver_address = server._forkserver_alive_fd = server._forkserver_pid = None


def _has_children() -> bool:
    # One system call; nearly every attempt leaves nothing behind.
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _children() -> list[int]:
    # One file a thread, since each lists what that thread started. Kernels without it have no way to ask.
    with suppress(OSError):
        return [int(pid) for file in Path("/proc/self/task").glob("*/children") for pid in file.read_text().split()]
    return []
