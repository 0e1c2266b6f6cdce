"""A process that is started again when it ends.

Every process leads a session of its own: the terminal's Ctrl-C does not reach it, so that the supervisor decides in
which order things end, and what it started can be found and ended with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from heavylift.dev.guard import Guard
from heavylift.dev.guard_process import end_session

HEALTHY_AFTER = timedelta(seconds=30)
"""A process that lived so long starts its backoff anew."""

_FIRST_DELAY = 0.5
_LONGEST_DELAY = 10.0
_LONGEST_LINE = 1 << 20


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """What to run, and how to end it."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    """Added to the supervisor's own environment."""
    stop_last: int = 0
    """Processes with a lower number end first."""
    grace: timedelta = timedelta(seconds=5)
    """From SIGTERM to SIGKILL."""


class SupervisedProcess:
    """One process and its successors. Lives on the supervisor's event loop.

    Parameters
    ----------
    spec
        What to run.
    guard
        Ends it should the supervisor be killed.
    announce
        Told in a sentence when the process ends and when it is started again.
    on_line
        Given every line the process writes.

    """

    def __init__(
        self, spec: ProcessSpec, *, guard: Guard, announce: Callable[[str], None], on_line: Callable[[str], None]
    ) -> None:
        self.spec = spec
        self.restarts = 0
        self.pid: int | None = None
        self.started_at = 0.0
        """When it, or its newest successor, was started: seconds since the epoch."""
        self._guard = guard
        self._announce = announce
        self._on_line = on_line
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start it and keep it running until `stop`."""
        await self._spawn()
        self._task = asyncio.create_task(self._keep_running())

    async def stop(self, *, hurry: asyncio.Event) -> None:
        """End it: SIGTERM, then SIGKILL of its whole session when the grace is over or `hurry` is set."""
        assert self._task is not None
        assert self._process is not None
        self._task.cancel()
        await asyncio.wait([self._task])
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        if not await _ends_within(self._process, self.spec.grace, unless=hurry):
            self._announce(f"{self.spec.name} did not end in time and was killed")
        await self._clear()
        await self._process.wait()

    async def _keep_running(self) -> None:
        delay = _FIRST_DELAY
        while True:
            started = time.monotonic()
            status = await self._ended()
            if time.monotonic() - started > HEALTHY_AFTER.total_seconds():
                delay = _FIRST_DELAY
            self.restarts += 1
            self._announce(f"{self.spec.name} ended ({describe(status)}), restart {self.restarts} in {delay:g} s")
            await asyncio.sleep(delay)
            delay = min(delay * 2, _LONGEST_DELAY)
            await self._spawn()
            self._announce(f"{self.spec.name} runs again (process {self.pid})")

    async def _spawn(self) -> None:
        reader, writer = os.pipe()
        self.started_at = time.time()
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self.spec.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=writer,
                stderr=writer,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **self.spec.env},
                start_new_session=True,
            )
        finally:
            os.close(writer)
        self.pid = self._process.pid
        self._guard.watch(self.pid)
        self._output = asyncio.create_task(_read_lines(reader, self._on_line))

    async def _ended(self) -> int:
        assert self._process is not None
        status = await self._process.wait()
        await self._clear()
        return status

    async def _clear(self) -> None:
        """End what the process left behind and take its last lines."""
        if self.pid is None:
            return
        end_session(self.pid)
        self._guard.forget(self.pid)
        self.pid = None
        # Only a process that left the session can hold the pipe open now; its lines are not worth waiting for.
        await asyncio.wait([self._output], timeout=1)
        self._output.cancel()


def describe(status: int) -> str:
    """Return an exit status in words; negative numbers are signals, as in `subprocess`."""
    if status >= 0:
        return f"exit status {status}"
    return f"signal {-status}, {signal.Signals(-status).name}"


async def _ends_within(process: asyncio.subprocess.Process, grace: timedelta, *, unless: asyncio.Event) -> bool:
    waits = [asyncio.create_task(process.wait()), asyncio.create_task(unless.wait())]
    await asyncio.wait(waits, timeout=grace.total_seconds(), return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    return process.returncode is not None


async def _read_lines(descriptor: int, on_line: Callable[[str], None]) -> None:
    reader = asyncio.StreamReader(limit=_LONGEST_LINE)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb")
    )
    try:
        while line := await _read_line(reader):
            on_line(line.decode(errors="replace").rstrip("\n"))
    finally:
        transport.close()


async def _read_line(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readline()
    except ValueError:  # beyond the limit: asyncio has dropped what it had of the line
        return b"(a line too long to show)\n"
