"""What an attempt cost, CPU time and peak memory, and what a process is waiting for."""

from __future__ import annotations

import os
import resource
from contextlib import suppress
from functools import cache
from pathlib import Path

from pydantic import JsonValue

_RESET_PEAK = b"5"
"""Written to /proc/self/clear_refs: the kernel forgets the peak of resident memory (proc(5))."""

_TICKS = os.sysconf("SC_CLK_TCK")
_UTIME = 13
"""Index of utime in /proc/<pid>/stat; stime, cutime and cstime follow (proc(5))."""


class Usage:
    """Measures this process and the children it waited for, from its making on. A pool's child makes one an attempt."""

    def __init__(self) -> None:
        with suppress(OSError):  # without /proc the peak is that of all attempts of this process so far
            os.write(_clear_refs(os.getpid()), _RESET_PEAK)
        self._cpu_before = _cpu()

    def read(self) -> dict[str, JsonValue]:
        """Return `cpu_seconds` and `max_rss_bytes` so far."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return {"cpu_seconds": round(_cpu() - self._cpu_before, 6), "max_rss_bytes": peak * 1024}


def usage_of(pid: int) -> dict[str, JsonValue]:
    """Return what another process used since it began, which for a pool's child may be more than one attempt."""
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        # The name before the bracket is cut off, and with it two fields.
        ticks = sum(int(value) for value in fields[_UTIME - 2 : _UTIME + 2])
        return {"cpu_seconds": ticks / _TICKS, **_peak_of(pid)}
    return {}


def waits_in(pid: int | None) -> str:
    """Return the function of the kernel that a process sleeps in, such as `pipe_read`; empty where it is not told."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/wchan").read_text().removeprefix("0")
    return ""


@cache
def _clear_refs(_pid: int) -> int:
    # Opened once a process: the file belongs to whoever opened it, and a fork must not reset its parent's.
    return os.open("/proc/self/clear_refs", os.O_WRONLY | os.O_CLOEXEC)


def _cpu() -> float:
    own, waited_for = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + waited_for.ru_utime + waited_for.ru_stime


def _peak_of(pid: int) -> dict[str, JsonValue]:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return {"max_rss_bytes": int(line.split()[1]) * 1024}
    return {}
