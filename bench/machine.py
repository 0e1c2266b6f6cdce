"""On what a measurement was made."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench.environments import BENCH, versions_in
from heavylift.dev.redis_server import find_binary

OWN = ("celery", "kombu", "redis", "hiredis", "fastapi", "uvicorn", "pydantic")
PEERS = ("arq", "dramatiq", "huey", "rq", "saq", "taskiq", "taskiq-redis")


def facts() -> dict[str, str]:
    """Return machine, versions, commit, time and load, as they are now."""
    return {
        "when": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{_processor()}, {os.cpu_count()} cores, {_memory_gib():.0f} GiB, {platform.system()} "
        f"{platform.release()}",
        "software": f"Python {platform.python_version()}, Redis {find_binary().version} (AOF, everysec), "
        + ", ".join(f"{name} {version(name)}" for name in OWN),
        "peers": ", ".join(f"{name} {pinned}" for name, pinned in _peers().items()),
        "commit": _commit(),
        "load": f"{os.getloadavg()[0]:.2f} before the row (1-minute average)",
    }


def cores() -> tuple[frozenset[int], frozenset[int]]:
    """Return the core of the process under measurement, and those of everything else; the same if there is one."""
    available = sorted(os.sched_getaffinity(0))
    return frozenset(available[:1]), frozenset(available[1:] or available)


def _peers() -> dict[str, str]:
    pinned: dict[str, str] = {}
    for lock in BENCH.glob("requirements-*.lock"):
        pinned |= versions_in(lock)
    return {name: pinned[name] for name in PEERS}


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3


def _commit() -> str:
    try:
        return subprocess.check_output(
            ["git", "describe", "--always", "--dirty"], cwd=BENCH, text=True, stderr=subprocess.DEVNULL, timeout=10
        ).strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"
