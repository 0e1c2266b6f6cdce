"""Ends what a stack started once its supervisor is gone: `python guard_process.py`, run by `guard.py`.

A supervisor that is killed outright cannot end its processes. This one reads the other end of a pipe from it:
`+PID` for a process that leads a session, `-PID` when it has ended. When the pipe closes, for whatever reason, every
session still noted is killed, grandchildren included. It imports nothing of Heavylift, so that it costs little.
"""

import contextlib
import os
import signal
import sys
from pathlib import Path


def main() -> None:
    """Note sessions until the supervisor is gone, then end them."""
    leaders: set[int] = set()
    for line in sys.stdin:
        (leaders.add if line[0] == "+" else leaders.discard)(int(line[1:]))
    for leader in leaders:
        end_session(leader)


def end_session(leader: int) -> None:
    """Kill what is left of the session a process leads, whatever process groups it made."""
    for _ in range(2):  # the second time for what was forked during the first
        for pid in _session_members(leader):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _session_members(leader: int) -> list[int]:
    proc = Path("/proc")
    if not proc.is_dir():  # macOS: its group is all that can be asked for
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, signal.SIGKILL)
        return []
    pids = (int(entry.name) for entry in proc.iterdir() if entry.name.isdecimal())
    return [pid for pid in pids if _session(pid) == leader]


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None


if __name__ == "__main__":
    main()
