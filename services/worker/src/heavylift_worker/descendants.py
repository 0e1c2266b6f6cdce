"""Processes that job code started and left behind.

A child adopts its orphaned grandchildren (PR_SET_CHILD_SUBREAPER), so that whatever an attempt started is found below
the child when it ends, and not a slot's burden for ever.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

ROUNDS = 5
"""How often to look again: the orphans of what was killed are found then. A thread that goes on starting processes must
not keep the attempt from its end."""

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


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
    """Kill every process below this one and return how many there were."""
    ended = 0
    for _ in range(ROUNDS):
        if not _has_children():
            break
        for pid in _children():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)
            ended += 1
    if ended:
        _forget_fork_server()
    return ended


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
