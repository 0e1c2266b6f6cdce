"""The pool alone, in an event loop that the test turns: children that die, at every moment."""

from __future__ import annotations

import errno
import fcntl
import gc
import os
import signal
import termios
import time
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import structlog.testing
from kombu.asynchronous import Hub

from heavylift_worker.pool import JobPool, kill_child
from tests.waiting import wait_until

pytestmark = pytest.mark.integration


@dataclass
class Loop:
    """An event loop with a pool of two children."""

    hub: Hub
    pool: JobPool
    heard: list[str] = field(default_factory=list)
    """What the pool said of jobs."""

    def turn_until(self, condition: Callable[[], object], *, what: str) -> None:
        deadline = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline, f"{what} did not come: {self.heard}"
            self.hub.run_once()

    def listen(self) -> None:
        self.pool.register_with_event_loop(self.hub)
        self.hub.call_repeatedly(0.02, self.pool.maintain_pool)  # a worker does it when SIGCHLD comes

    def reconnect(self) -> None:
        """Do what Celery's consumer does where the connection is lost, and found again."""
        self.hub.reset()
        self.pool.flush()
        self.listen()

    def end(self) -> None:
        for child in self.pool._pool:
            kill_child(child)
            child.join()
        self.pool._terminate.cancel()
        self.hub.close()

    def ready(self) -> bool:
        return len(self.pool._all_inqueues) == 2

    def submit(self, function: Callable[..., object], *args: object) -> Any:
        return self.pool.apply_async(
            function,
            args,
            accept_callback=lambda *_: self.heard.append("accepted"),
            callback=lambda value: self.heard.append(f"returned {value}"),
            error_callback=lambda info: self.heard.append(f"lost: {info.exception}"),
        )


def make_pool() -> JobPool:
    return JobPool(2, threads=False, enable_timeouts=True, synack=False, sched_strategy="fair")


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop(Hub(), make_pool())
    loop.listen()
    loop.turn_until(loop.ready, what="the children's start")
    yield loop
    loop.end()


def await_death(pid: int) -> None:
    """Wait for it, and leave it to be waited for."""
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


class Poison:
    """Kills whoever reads it, as the kernel does where the input takes all memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return die, (self.folder,)


def die(folder: Path) -> None:
    with (folder / "died").open("a") as file:
        file.write("once\n")
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_job_whose_child_dies_before_it_begins_is_lost_and_goes_to_no_other(loop: Loop, tmp_path: Path) -> None:
    loop.submit(str, Poison(tmp_path))
    loop.turn_until(lambda: loop.heard or len(_lines(tmp_path / "died")) > 2, what="its end")
    loop.turn_until(loop.ready, what="another child")

    assert len(_lines(tmp_path / "died")) == 1
    [said] = loop.heard
    assert "signal 9 (SIGKILL)" in said
    assert not loop.pool._cache
    loop.submit(max, 7, 2)
    loop.submit(max, 7, 2)
    loop.turn_until(lambda: loop.heard.count("returned 7") == 2, what="other jobs' ends")


def ran(folder: Path, ending: str) -> str:
    """Run until it may end; the first process to do so dies in the middle."""
    with (folder / "ran").open("a") as file:
        file.write("once\n")
    wait_until((folder / "go").exists, 20, what="the word to go on", every=0.001)
    if ending == "dies" and len(_lines(folder / "ran")) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return "well"


@pytest.mark.parametrize("ending", ["dies", "returns"])
def test_a_job_does_not_run_again_whose_child_dies_while_anothers_death_is_seen_to(
    loop: Loop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    other, child = loop.pool._pool  # in this order: the pool looks at the last one first
    loop.submit(ran, tmp_path, ending)
    write: Any = loop.hub.consolidate_callback
    write([child.inqW_fd])
    # Meanwhile the loop does not turn, so nothing of it is heard.
    wait_until((tmp_path / "ran").exists, what="the job's start", every=0.001)
    os.kill(other.pid, signal.SIGKILL)
    await_death(other.pid)
    flush = loop.pool.process_flush_queues

    def flush_slowly(process: Any) -> None:
        if process is other:
            began = _unread(child)
            (tmp_path / "go").touch()
            if ending == "returns":
                wait_until(lambda: _unread(child) > began, what="its word that it has ended")
                os.kill(child.pid, signal.SIGKILL)
            await_death(child.pid)
        flush(process)

    monkeypatch.setattr(loop.pool, "process_flush_queues", flush_slowly)
    loop.pool.maintain_pool()
    loop.turn_until(lambda: len(loop.heard) >= 2 and loop.ready(), what="the job's end")

    accepted, end = loop.heard
    assert (accepted, "SIGKILL" in end) == ("accepted", ending == "dies")
    assert len(_lines(tmp_path / "ran")) == 1


def leave_mark(folder: Path) -> None:
    (folder / "ran").touch()


@pytest.mark.parametrize("read", [0, 4], ids=["unread", "its length read"])
def test_what_a_dead_child_left_in_its_pipe_reaches_no_other(loop: Loop, tmp_path: Path, read: int) -> None:
    other, child = loop.pool._pool
    os.kill(child.pid, signal.SIGSTOP)
    loop.submit(leave_mark, tmp_path)
    write: Any = loop.hub.consolidate_callback
    write([child.inqW_fd])
    loop.pool.flush()  # the connection is lost, and the job was given back
    assert len(os.read(child.inq._reader.fileno(), read)) == read
    os.kill(child.pid, signal.SIGKILL)
    await_death(child.pid)
    loop.pool.maintain_pool()
    loop.turn_until(loop.ready, what="another child")

    [replacement] = {each.pid for each in loop.pool._pool} - {other.pid}
    loop.submit(os.getpid)
    write([next(each.inqW_fd for each in loop.pool._pool if each.pid == replacement)])
    loop.turn_until(lambda: len(loop.heard) == 2, what="the next job's end")
    assert loop.heard == ["accepted", f"returned {replacement}"]
    assert not (tmp_path / "ran").exists()


def test_children_that_die_leave_no_files_open(loop: Loop) -> None:
    gc.collect()  # of the pools before it
    open_files = _open_files()
    for _ in range(3):
        lost, _ = loop.pool._pool
        os.kill(lost.pid, signal.SIGKILL)
        await_death(lost.pid)
        loop.pool.maintain_pool()
        loop.turn_until(loop.ready, what="another child")
    assert _open_files() == open_files


def test_children_that_die_at_a_job_while_the_connection_is_lost_leave_nothing_to_the_next(loop: Loop) -> None:
    gc.collect()
    open_files = _open_files()
    for _ in range(3):
        for _ in range(2):
            loop.submit(time.sleep, 60)
        loop.turn_until(lambda: loop.heard.count("accepted") == 2, what="the jobs' starts")
        lost = list(loop.pool._pool)
        for child in lost:
            os.kill(child.pid, signal.SIGKILL)
            await_death(child.pid)
        loop.reconnect()
        loop.turn_until(loop.ready, what="other children")
        assert not {*lost} & {*loop.pool._pool}
        assert len([each for each in loop.heard if "SIGKILL" in each]) == 2
        assert set(loop.pool._fileno_to_outq) == {each.outqR_fd for each in loop.pool._pool}
        loop.heard.clear()
    assert _open_files() == open_files


def test_a_child_that_was_handed_a_job_is_known_until_its_first_word(loop: Loop, tmp_path: Path) -> None:
    loop.submit(ran, tmp_path, "returns")
    write: Any = loop.hub.consolidate_callback
    child = loop.pool._pool[1]
    assert loop.pool.silent_children() == []
    write([child.inqW_fd])
    wait_until((tmp_path / "ran").exists, what="the job's start", every=0.001)
    assert loop.pool.silent_children() == [child]
    loop.turn_until(lambda: loop.heard, what="its word")
    assert loop.pool.silent_children() == []
    (tmp_path / "go").touch()
    loop.turn_until(lambda: len(loop.heard) == 2, what="its end")


def test_a_child_that_dies_before_the_loop_listens_is_replaced() -> None:
    loop = Loop(Hub(), make_pool())
    lost = loop.pool._pool[0]
    os.kill(lost.pid, signal.SIGKILL)
    await_death(lost.pid)
    loop.pool.flush()  # as where the first connection fails
    loop.listen()
    loop.turn_until(lambda: loop.ready() and lost not in loop.pool._pool, what="another child")
    for _ in range(2):
        loop.submit(os.getpid)
    loop.turn_until(lambda: len(loop.heard) == 4, what="the ends of jobs in both")
    loop.end()


def refusal(number: int) -> Callable[..., int]:
    """Return what stands for a call that the system refuses."""

    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    return refuse


@pytest.mark.parametrize(
    ("what", "number"),
    [("fork", errno.EAGAIN), ("fork", errno.ENOMEM), ("pipe", errno.ENFILE), ("semaphore", errno.ENOSPC)],
)
def test_a_child_that_cannot_be_made_is_made_later(
    loop: Loop, monkeypatch: pytest.MonkeyPatch, what: str, number: int
) -> None:
    lost, other = loop.pool._pool
    os.kill(lost.pid, signal.SIGKILL)
    await_death(lost.pid)
    with monkeypatch.context() as limits, structlog.testing.capture_logs() as logs:
        owner, name = (loop.pool._ctx, "Value") if what == "semaphore" else (os, what)  # it lies in /dev/shm
        limits.setattr(owner, name, refusal(number))
        loop.pool.maintain_pool()
        open_files = _open_files()
        for _ in range(3):
            loop.pool.maintain_pool()

        assert [each.pid for each in loop.pool._pool] == [other.pid]
        assert _open_files() == open_files
        loop.submit(max, 7, 2)
        loop.turn_until(lambda: "returned 7" in loop.heard, what="the end of a job in the child that is left")
    assert {each["event"] for each in logs} == {"fork_refused"}
    assert logs[0]["error"].endswith(os.strerror(number))

    loop.turn_until(loop.ready, what="the child")
    assert len(loop.pool._pool) == 2
    loop.heard.clear()
    for _ in range(2):
        loop.submit(os.getpid)
    loop.turn_until(lambda: len(loop.heard) == 4, what="the ends of jobs in both")
    assert len({each for each in loop.heard if each.startswith("returned")}) == 2


def test_two_children_that_die_one_after_the_other_while_forks_are_refused(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        loop.submit(time.sleep, 60)
    loop.turn_until(lambda: loop.heard.count("accepted") == 2, what="the jobs' starts")
    first, second = loop.pool._pool  # the pool looks at the last one first
    os.kill(first.pid, signal.SIGKILL)
    await_death(first.pid)
    flush = loop.pool.process_flush_queues

    def flush_slowly(process: Any) -> None:
        flush(process)
        if second._is_alive():
            os.kill(second.pid, signal.SIGKILL)
            await_death(second.pid)

    with monkeypatch.context() as limits:
        limits.setattr(loop.pool, "process_flush_queues", flush_slowly)
        limits.setattr(os, "fork", refusal(errno.EAGAIN))
        loop.pool.maintain_pool()
    loop.turn_until(lambda: loop.ready() and not {first, second} & {*loop.pool._pool}, what="other children")
    assert len([each for each in loop.heard if "SIGKILL" in each]) == 2


def test_a_child_that_the_loop_cannot_listen_to_is_replaced(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    lost, other = loop.pool._pool
    os.kill(lost.pid, signal.SIGKILL)
    await_death(lost.pid)
    with monkeypatch.context() as limits:
        limits.setattr(os, "dup", refusal(errno.EAGAIN))  # of what tells its end
        loop.pool.maintain_pool()
    [unheard] = {*loop.pool._pool} - {other}
    loop.turn_until(lambda: loop.ready() and unheard not in loop.pool._pool, what="another child")
    for _ in range(2):
        loop.submit(os.getpid)
    loop.turn_until(lambda: len(loop.heard) == 4, what="the ends of jobs in both")


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _unread(process: Any) -> int:
    """Return how many bytes of what the process said were not read yet."""
    count = array("i", [0])
    fcntl.ioctl(process.outqR_fd, termios.FIONREAD, count)
    return count[0]


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []
