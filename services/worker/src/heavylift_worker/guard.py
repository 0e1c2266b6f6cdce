"""A small process beside the worker that cleans up when the worker dies without a word.

The problem: the kernel kills the worker's children with it (PR_SET_PDEATHSIG), but not what those had started: an
encoder would go on using a core for a job that runs elsewhere by then. Nor does anybody remove the attempts' folders.

So this process outlives the worker for a moment. It knows the children's process groups, each told by the child itself,
and kills what is left of them.

What is not guaranteed: a process that left its group (setsid) stays. In a container the kernel ends that one too.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
from contextlib import suppress
from pathlib import Path

from heavylift_worker.desk import kill_group

_LOOK_SECONDS = 1.0
"""How often to look for the worker where the kernel cannot tell of its end (before Linux 5.3, or macOS)."""


class Guard:
    """The worker's side: where its children announce themselves. Made before any thread is started."""

    def __init__(self, workdirs: Path) -> None:
        reader, self._writer = os.pipe()
        worker = os.getpid()
        if os.fork() == 0:
            try:
                os.close(self._writer)
                _watch(worker, reader, workdirs)
            finally:
                os._exit(0)
        os.close(reader)

    def announce(self) -> None:
        """Tell that the calling process leads a group of its own."""
        os.write(self._writer, b"%d\n" % os.getpid())


def _watch(worker: int, reader: int, workdirs: Path) -> None:
    os.setsid()  # what ends the worker's group must not end this process first
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    death = _death_of(worker)
    groups: set[int] = set()
    while os.getppid() == worker:
        readable, _, _ = select.select([reader, *death], [], [], None if death else _LOOK_SECONDS)
        if reader in readable:
            _note(reader, groups)
    os.set_blocking(reader, False)
    with suppress(BlockingIOError):
        _note(reader, groups)
    for group in groups:
        kill_group(group)
    shutil.rmtree(workdirs, ignore_errors=True)


def _note(reader: int, groups: set[int]) -> None:
    # The newest only: a dead group's number may be another's one day.
    groups.difference_update([group for group in groups if not _exists(group)])
    groups.update(int(line) for line in os.read(reader, 65_536).split())


def _exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except OSError:
        return False
    return True


def _death_of(worker: int) -> list[int]:
    with suppress(AttributeError, OSError):
        return [os.pidfd_open(worker)]
    return []
