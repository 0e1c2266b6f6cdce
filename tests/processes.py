"""Which processes run."""

from __future__ import annotations

from pathlib import Path

_STATE, _SESSION = 0, 3
"""Places in /proc/<pid>/stat after the command's closing parenthesis (proc_pid_stat(5))."""


def members(session: int) -> list[int]:
    """Return the processes of a session that have not ended; zombies wait for their parent only."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[_SESSION]) == session and fields[_STATE] != "Z":
            found.append(int(stat.parent.name))
    return found
