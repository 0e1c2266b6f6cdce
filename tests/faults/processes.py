"""Processes of a stack: each leads a session of its own, so that all it started is found and ended with it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGTERM, Signals

from tests.processes import members

REPOSITORY = Path(__file__).parents[2]
END_SECONDS = 10.0
"""How long the members of a session get to vanish after SIGKILL: the kernel frees gigabytes before they do."""


def python_path() -> str:
    """Return this process's module path with the repository first: processes run what the tests were started from."""
    return os.pathsep.join([str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])])


class Member:
    """A process and all that descends from it."""

    def __init__(self, name: str, arguments: list[str], folder: Path, env: dict[str, str]) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *arguments],
                env={**os.environ, "PYTHONPATH": python_path(), "TMPDIR": str(folder), **env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
                start_new_session=True,
            )
        self.pid = self.process.pid

    def alive(self) -> bool:
        return self.process.poll() is None

    def children(self) -> list[int]:
        """Return the direct children: a worker's slots."""
        with suppress(OSError):
            text = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
            return [int(pid) for pid in text.split()]
        return []

    def tail(self) -> str:
        """Return the end of its log."""
        return self.log.read_text(errors="replace")[-1500:]

    def signal(self, number: Signals) -> None:
        """Send a signal to the process alone."""
        self.process.send_signal(number)

    def signal_all(self, number: Signals) -> None:
        """Send a signal to the process, then to all that descend from it."""
        for pid in [self.pid, *(pid for pid in members(self.pid) if pid != self.pid)]:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self) -> None:
        """End everything at once, as the end of a container or a node does."""
        deadline = time.monotonic() + END_SECONDS
        while members(self.pid) and time.monotonic() < deadline:
            self.signal_all(SIGKILL)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(0.05)
        self.process.wait(END_SECONDS)

    def tell_to_end(self) -> None:
        """Ask it to end."""
        if self.alive():
            self.signal_all(SIGCONT)
            self.signal(SIGTERM)

    def ended(self, deadline: float) -> int | None:
        """Wait for its end; returns its exit code, or None if it had to be killed."""
        code = None
        with suppress(subprocess.TimeoutExpired):
            code = self.process.wait(max(0.0, deadline - time.monotonic()))
        self.kill()
        return code
