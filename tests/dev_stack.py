"""The whole platform, started by `heavylift dev` in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.fixtures_redis import free_port
from tests.processes import members
from tests.waiting import wait_until

ROOT = Path(__file__).parents[1]
HEAVYLIFT = Path(sys.executable).with_name("heavylift")


def environment() -> dict[str, str]:
    """Return an environment in which nothing of the developer's own stack is found."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HEAVYLIFT_", "REDIS_"))}
    return {**kept, "PYTHONPATH": str(ROOT)}


class RunningStack:
    """`heavylift dev --json` and what it said. `ended` after `end`."""

    def __init__(self, data: Path, *options: str, workers: int = 1, flower: bool = False) -> None:
        self.data = data
        self.errors = data.with_name(f"{data.name}.err")
        command = [str(HEAVYLIFT), "dev", "--json", f"--data={data}", f"--port={free_port()}", f"--workers={workers}"]
        command += ["--flower" if flower else "--no-flower", *options]
        with self.errors.open("w") as errors:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment(), cwd=ROOT
            )

    def __enter__(self) -> RunningStack:
        assert self.process.stdout
        decoder = json.JSONDecoder()
        text = ""
        for line in self.process.stdout:
            text += line
            if line == "}\n":
                break
        else:
            self.process.wait()
            raise AssertionError(f"the stack did not start: {self.said}")
        self.facts: dict[str, Any] = decoder.decode(text)
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.end(signal.SIGTERM)

    @property
    def url(self) -> str:
        return self.facts["urls"]["api"]

    @property
    def pids(self) -> dict[str, int]:
        return self.facts["pids"]

    @property
    def said(self) -> str:
        return self.errors.read_text()

    def end(self, number: signal.Signals) -> int:
        """Send a signal and return the exit status."""
        self.process.send_signal(number)
        status = self.process.wait(20)
        assert self.process.stdout
        self.process.stdout.close()
        return status

    def sessions(self) -> dict[str, list[int]]:
        """Return which processes of each part still run."""
        alive = {name: members(pid) for name, pid in self.pids.items()}
        return {name: pids for name, pids in alive.items() if pids}

    def wait_for(self, text: str) -> None:
        wait_until(lambda: text in self.said, 20, what=f"{text!r} in what the stack says")

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `heavylift` against this stack."""
        return run_cli(*arguments, env={"HEAVYLIFT_URL": self.url})


def run_cli(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command: Sequence[str] = [str(HEAVYLIFT), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=50, check=False, env={**environment(), **(env or {})}, cwd=ROOT
    )
