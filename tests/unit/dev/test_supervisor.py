"""Processes that are kept running, and end with whoever keeps them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from heavylift.dev import StackError
from heavylift.dev.data import DataFolder
from heavylift.dev.guard import Guard
from heavylift.dev.process import ProcessSpec
from heavylift.dev.supervisor import Supervisor
from tests.processes import members
from tests.waiting import wait_until

ORPHAN_MAKER = """
import asyncio, sys
from pathlib import Path
from heavylift.dev.data import DataFolder
from heavylift.dev.guard import Guard
from heavylift.dev.process import ProcessSpec
from heavylift.dev.supervisor import Supervisor

async def main():
    data = DataFolder(Path(sys.argv[1]))
    data.acquire()
    with Guard(data.lock) as guard:
        supervisor = Supervisor(guard, data.logs, announce=print)
        await supervisor.start(ProcessSpec("sh", ["sh", "-c", "sleep 300 & sleep 300"]))
        print(supervisor.processes["sh"].pid, flush=True)
        await asyncio.sleep(300)

asyncio.run(main())
"""


class Scene:
    def __init__(self, folder: Path) -> None:
        self.said: list[str] = []
        self.lines: list[tuple[str, str]] = []
        self.data = DataFolder(folder)
        self.data.acquire()
        self.guard = Guard(self.data.lock)
        self.supervisor = Supervisor(self.guard, self.data.logs, announce=self.said.append, echo=self._echo)

    def __enter__(self) -> Scene:
        self.guard.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.guard.__exit__(None, None, None)
        self.data.release()

    def _echo(self, name: str, line: str) -> None:
        self.lines.append((name, line))

    def pid(self, name: str) -> int | None:
        return self.supervisor.processes[name].pid

    async def start(self, name: str, script: str, **options: int | timedelta) -> None:
        await self.supervisor.start(ProcessSpec(name, ["sh", "-c", script], **options))  # ty: ignore[invalid-argument-type]


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    with Scene(tmp_path / "data") as scene:
        yield scene
        await scene.supervisor.stop()


async def until(predicate: Callable[[], object], what: str) -> None:
    await asyncio.to_thread(wait_until, predicate, 10, what=what)


async def test_a_process_that_ends_is_started_again_and_that_is_said(scene: Scene) -> None:
    await scene.start("part", "sleep 300")
    first = scene.pid("part")
    assert first
    os.kill(first, signal.SIGKILL)
    await until(lambda: scene.pid("part") not in {first, None}, "a second process")
    assert scene.said[0] == "part ended (signal 9, SIGKILL), restart 1 in 0.5 s"
    assert scene.said[1] == f"part runs again (process {scene.pid('part')})"


async def test_each_restart_waits_longer(scene: Scene) -> None:
    await scene.start("part", "exit 3")
    await until(lambda: len(scene.said) >= 5, "three ends")
    assert [text for text in scene.said if "ended" in text] == [
        "part ended (exit status 3), restart 1 in 0.5 s",
        "part ended (exit status 3), restart 2 in 1 s",
        "part ended (exit status 3), restart 3 in 2 s",
    ]


async def test_what_a_process_leaves_behind_ends_before_its_successor_starts(scene: Scene) -> None:
    await scene.start("part", "sleep 300 & sleep 300")
    first = scene.pid("part")
    assert first
    await until(lambda: len(members(first)) == 3, "two children")
    os.kill(first, signal.SIGKILL)
    await until(lambda: scene.pid("part") not in {first, None}, "a second process")
    assert members(first) == []


async def test_output_is_kept_and_passed_on(scene: Scene) -> None:
    await scene.start("part", "echo one; echo two >&2; sleep 300")
    await until(lambda: len(scene.lines) == 2, "two lines")
    assert scene.lines == [("part", "one"), ("part", "two")]
    assert scene.supervisor.log_file("part").read_text() == "one\ntwo\n"


async def test_processes_end_in_their_order(tmp_path: Path) -> None:
    script = "trap 'echo end; exit' TERM; echo up; while :; do sleep 0.02; done"
    with Scene(tmp_path / "data") as scene:
        await scene.start("redis", script, stop_last=2)
        await scene.start("worker", script, stop_last=0)
        await scene.start("api", script, stop_last=1)
        await until(lambda: len(scene.lines) == 3, "all three up")
        await scene.supervisor.stop()
    assert [name for name, line in scene.lines if line == "end"] == ["worker", "api", "redis"]


@pytest.mark.parametrize("hurried", [False, True])
async def test_what_ignores_sigterm_is_killed_after_its_grace_or_at_once_in_a_hurry(
    tmp_path: Path, hurried: bool
) -> None:
    with Scene(tmp_path / "data") as scene:
        grace = timedelta(seconds=60 if hurried else 0.3)
        await scene.start("stubborn", "trap '' TERM; echo up; while :; do sleep 0.02; done", grace=grace)
        await until(lambda: scene.lines, "its line")
        if hurried:
            scene.supervisor.hurry()
        began = time.monotonic()
        await scene.supervisor.stop()
    assert time.monotonic() - began < 5
    assert scene.said == ["stubborn did not end in time and was killed"]


def test_a_supervisor_that_is_killed_takes_everything_with_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ORPHAN_MAKER, str(tmp_path / "data")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stdout
        leader = int(supervisor.stdout.readline())
        wait_until(lambda: len(members(leader)) == 3, what="two children")
        supervisor.kill()
    wait_until(lambda: members(leader) == [], what="the end of the session")
    data = DataFolder(tmp_path / "data")
    wait_until(lambda: _acquires(data), what="the release of the folder")
    data.release()


def _acquires(data: DataFolder) -> bool:
    try:
        data.acquire()
    except StackError:
        return False
    return True
