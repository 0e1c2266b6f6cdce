"""What an attempt cost: CPU time and peak memory."""

from __future__ import annotations

import os
import resource
from pathlib import Path

from pydantic import JsonValue

_RESET_PEAK = "5"
"""Written to /proc/self/clear_refs: the kernel forgets the peak of resident memory (proc(5))."""

_TICKS = os.sysconf("SC_CLK_TCK")
_UTIME = 13
"""Index of utime in /proc/<pid>/stat; stime, cutime and cstime follow (proc(5))."""


class Usage:
    """Measures this process and the children it waited for, from its making on."""

    def __init__(self) -> None:
        self._peak_is_ours = _reset_peak()
        self._cpu_before = _own_cpu()

    def read(self) -> dict[str, JsonValue]:
        """Return `cpu_seconds` and `max_rss_bytes` so far."""
        return {"cpu_seconds": round(_own_cpu() - self._cpu_before, 6), "max_rss_bytes": self._peak()}

    def _peak(self) -> int:
        if self._peak_is_ours and (peak := _peak_of("self")):
            return peak
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def usage_of(pid: int) -> dict[str, JsonValue]:
    """Return what another process used since it began, which for a pool's child may be more than one attempt."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return {}
    # The name before the bracket is cut off, and with it two fields.
    ticks = sum(int(value) for value in fields[_UTIME - 2 : _UTIME + 2])
    peak = _peak_of(str(pid))
    return {"cpu_seconds": ticks / _TICKS, **({"max_rss_bytes": peak} if peak else {})}


def _own_cpu() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _reset_peak() -> bool:
    try:
        with open("/proc/self/clear_refs", "w") as file:  # noqa: PTH123 - a tenth of the cost, once an attempt
            file.write(_RESET_PEAK)
    except OSError:
        return False
    return True


def _peak_of(pid: str) -> int | None:
    try:
        with open(f"/proc/{pid}/status") as file:  # noqa: PTH123 - as above
            for line in file:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        return None
    return None
