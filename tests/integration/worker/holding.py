"""Jobs that run until the test lets them go, and the processes they run in."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from heavylift.ids import JobId
from tests.fixtures_worker import Jobs
from tests.waiting import wait_until


def holding(jobs: Jobs, folder: Path, name: str = "hold") -> JobId:
    """Submit a job that runs until folder/go exists, and wait until it runs."""
    job_id = jobs.submit(name, folder=folder)
    trace = folder / "holding"
    wait_until(lambda: trace.exists() and trace.read_text().endswith("\n"), what="the job's start")
    return job_id


def pids_of(folder: Path) -> list[int]:
    """Return the processes of the last attempt."""
    return [int(pid) for pid in (folder / "holding").read_text().splitlines()[-1].split()[1:]]


def is_alive(pid: int) -> bool:
    """Tell whether the process runs; one that is only not waited for yet does not."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False
