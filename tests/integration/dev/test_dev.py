"""`heavylift dev`: what dies is restarted, and nothing outlives it."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from heavylift.cli.exits import ExitCode
from tests.dev_stack import RunningStack, run_cli
from tests.waiting import wait_until

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with RunningStack(tmp_path_factory.mktemp("dev") / "data", "--jobs=tests.job_types", flower=True) as stack:
        yield stack


def restarted(stack: RunningStack, name: str) -> int:
    """Kill a part and return its successor's process id."""
    os.kill(stack.pids[name], signal.SIGKILL)
    stack.wait_for(f"{name} ended (signal 9, SIGKILL), restart 1 in 0.5 s")
    stack.wait_for(f"{name} runs again")
    found = re.search(rf"{name} runs again \(process (\d+)\)", stack.said)
    assert found
    stack.pids[name] = int(found[1])
    return stack.pids[name]


def test_every_part_runs_and_answers(stack: RunningStack) -> None:
    assert set(stack.pids) == {"redis", "api", "controller", "worker-1", "flower"}
    assert httpx.get(f"{stack.url}/readyz", trust_env=False).is_success
    flower = stack.facts["urls"]["flower"]
    wait_until(lambda: _answers(flower), 20, what="Flower's page")


def test_logs_are_written_for_eyes(stack: RunningStack) -> None:
    [line] = [
        line for line in (stack.data / "logs" / "worker-1.log").read_text().splitlines() if "worker_starting" in line
    ]
    assert "slots=1" in line


def test_a_killed_worker_is_restarted_and_works(stack: RunningStack) -> None:
    pid = restarted(stack, "worker-1")
    ended = stack.cli("submit", "test.double", '{"value": 21}', "--wait", "--json")
    assert json.loads(ended.stdout)["output"] == {"value": 42}
    os.kill(pid, 0)


def test_a_killed_redis_is_restarted_and_knows_what_it_knew(stack: RunningStack) -> None:
    job = json.loads(stack.cli("submit", "test.double", '{"value": 1}', "--wait", "--json").stdout)
    with httpx.Client(base_url=stack.url, trust_env=False) as http:
        restarted(stack, "redis")
        wait_until(lambda: http.get(f"/v1/jobs/{job['id']}").is_success, 20, what="the job's record")
        assert http.get(f"/v1/jobs/{job['id']}").json()["output"] == {"value": 2}


def test_a_second_stack_on_the_folder_is_refused(stack: RunningStack) -> None:
    ended = run_cli("dev", f"--data={stack.data}", "--port=1")
    assert ended.returncode == ExitCode.USAGE
    assert "Another stack uses the data folder" in ended.stderr


def test_a_taken_port_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        ended = run_cli("dev", f"--data={tmp_path / 'data'}", f"--port={port}")
    assert ended.returncode == ExitCode.USAGE
    assert ended.stderr.startswith(f"heavylift: Port {port} on 127.0.0.1 is taken.")


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, ExitCode.OK), (signal.SIGTERM, ExitCode.OK), (signal.SIGKILL, -signal.SIGKILL)],
)
def test_its_end_is_the_end_of_every_process(tmp_path: Path, number: signal.Signals, status: int) -> None:
    with RunningStack(tmp_path / "data", "--jobs=tests.job_types") as stack:
        job = json.loads(stack.cli("submit", "test.stay", "{}", "--json").stdout)
        with httpx.Client(base_url=stack.url, trust_env=False) as http:
            wait_until(lambda: http.get(f"/v1/jobs/{job['id']}").json()["progress"], 20, what="the job's progress")
        assert set(stack.sessions()) == set(stack.pids)
        assert stack.end(number) == status
        wait_until(lambda: not stack.sessions(), 5, what=f"the end of {stack.sessions()}")


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).is_success
    except httpx.TransportError:
        return False
