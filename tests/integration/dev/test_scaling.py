"""`heavylift dev` starts workers for the jobs that wait and ends those that hold none, and interrupts nothing."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from heavylift.cli.exits import ExitCode
from heavylift.client import Client, NewJob, PoolView
from heavylift.model import JobStatus
from tests.dev_stack import RunningStack
from tests.processes import members
from tests.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

JOBS = 12


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[RunningStack]:
    options = ("--jobs=tests.job_types", "--target-wait=10")
    with RunningStack(tmp_path / "data", *options, workers=3) as stack:
        yield stack


@pytest.fixture
def client(stack: RunningStack) -> Iterator[Client]:
    with Client(stack.url) as client:
        wait_until(client.pools, 30, what="the first decision")
        yield client


def pool(client: Client) -> PoolView:
    [pool] = client.pools()
    assert not pool.stale
    return pool


def submit(client: Client, count: int = JOBS, seconds: float = 2.0) -> list[str]:
    batch = client.submit_batch([NewJob("test.sleep", {"seconds": seconds}) for _ in range(count)])
    return [result.id for result in batch.results if result.id]


def wait_for_size(client: Client, size: int, timeout: float = 60) -> None:
    def fits() -> bool:
        found = pool(client)
        return (found.current, found.ready, found.draining) == (size, size, [])

    wait_until(fits, timeout, what=f"{size} workers", every=0.2)


def check_that_none_was_interrupted(client: Client, jobs: list[str]) -> None:
    for job in jobs:
        ended = client.wait(job, timeout=60)
        assert (ended.status, [attempt.number for attempt in ended.attempts]) == (JobStatus.SUCCEEDED, [1])


def test_a_burst_is_met_with_all_workers_which_go_again(stack: RunningStack, client: Client) -> None:
    assert [name for name in stack.pids if name.startswith("worker")] == ["worker-1"]
    jobs = submit(client)
    wait_until(lambda: pool(client).current == 3, 10, what="the order of all three")
    stack.wait_for("worker-3 is started: there are to be 3")
    assert "default" in stack.cli("pools").stdout
    check_that_none_was_interrupted(client, jobs)
    assert len({attempt.worker for job in jobs for attempt in client.get(job).attempts}) == 3
    wait_for_size(client, 1, timeout=120)
    assert len(re.findall(r"worker-\d holds no job and ends", stack.said)) == 2
    record = json.loads(stack.cli("pools", "show", "default", "--json").stdout)
    assert [(change["from"], change["to"]) for change in record["last"]][-1] == (1, 3)
    assert record["last"][0]["to"] == 1


def test_a_hold_stands_until_it_is_released(stack: RunningStack, client: Client) -> None:
    assert stack.cli("pools", "hold", "default", "3", "--for", "1h").returncode == ExitCode.OK
    wait_for_size(client, 3)
    held = pool(client)
    assert (held.held_by, held.limiter) == ("local", "held by hand")
    assert held.hold_until is not None
    assert held.hold_until - held.decided_at > timedelta(minutes=50)
    assert "held by local until" in stack.cli("pools").stdout
    client.pause_pool("default")
    client.hold_pool("default", 2)
    wait_for_size(client, 2)
    assert pool(client).paused
    client.resume_pool("default")
    assert stack.cli("pools", "release", "default").returncode == ExitCode.OK
    wait_until(lambda: pool(client).held_by == "", 10, what="the release")
    wait_for_size(client, 1, timeout=120)
    unknown = stack.cli("pools", "hold", "images", "2")
    assert (unknown.returncode, "There are: default." in unknown.stderr) == (ExitCode.NOT_FOUND, True)


def test_a_controller_that_is_killed_in_the_middle_of_a_drain_is_followed_by_one_that_ends_it(
    stack: RunningStack, client: Client
) -> None:
    client.hold_pool("default", 3)
    wait_for_size(client, 3)
    busy = submit(client, 1, seconds=15.0)
    wait_until(lambda: pool(client).running == 1, 20, what="the job")
    client.hold_pool("default", 1)
    wait_until(lambda: pool(client).draining, 20, what="the drain", every=0.02)
    os.kill(stack.pids["controller"], signal.SIGKILL)
    last = client.pools()[0].decided_at
    wait_until(lambda: client.pools()[0].decided_at > last, 40, what="the next leader's decision")
    wait_for_size(client, 1, timeout=60)
    check_that_none_was_interrupted(client, busy)
    check_that_none_was_interrupted(client, submit(client, 3, seconds=0.1))


def test_a_busy_worker_stays_until_its_job_has_ended(stack: RunningStack, client: Client) -> None:
    client.hold_pool("default", 3)
    wait_for_size(client, 3)
    jobs = submit(client, 3, seconds=8.0)
    wait_until(lambda: pool(client).running == 3, 20, what="all three jobs")
    client.hold_pool("default", 1)
    check_that_none_was_interrupted(client, jobs)
    wait_for_size(client, 1, timeout=60)


def test_workers_that_came_later_end_with_the_stack_even_if_it_is_killed(stack: RunningStack, client: Client) -> None:
    client.hold_pool("default", 3)
    wait_for_size(client, 3)
    logs = {name: (stack.data / "logs" / f"{name}.log").read_text() for name in ("worker-2", "worker-3")}
    assert all("worker_started" in log or "worker_starting" in log for log in logs.values())
    submit(client, 3, seconds=60.0)
    wait_until(lambda: pool(client).running == 3, 20, what="all three jobs")
    guarded = [pid for pid in _pids() if _belongs(pid, stack.data)]
    assert len(guarded) >= 3
    stack.end(signal.SIGKILL)
    wait_until(lambda: not [pid for pid in guarded if members(pid)], 10, what="the end of every process")


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]


def _belongs(pid: int, data: Path) -> bool:
    """Tell whether the process leads a session and works for the stack on this folder."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        return os.getsid(pid) == pid and os.fsencode(data) in environment
    except OSError:
        return False
