"""Ends what a worker's children started once the worker is gone: `guard_process.py PID FOLDER`, run by `guard.py`.

Its standard input names the children's process groups. It waits for the worker itself and not for the pipe's end,
which what a child forked may hold open. It imports nothing of Heavylift, so that it costs little.
"""

import contextlib
import os
import select
import signal
import sys

LOOK_SECONDS = 1.0
"""How often to look for the worker where the kernel cannot tell of its end (before Linux 5.3, or macOS)."""


def main(worker: int, folder: str) -> None:
    """Note groups until the worker is gone, then kill them and remove its folder."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    reader, death = sys.stdin.fileno(), _death_of(worker)
    os.set_blocking(reader, False)
    groups: set[int] = set()
    while os.getppid() == worker:
        select.select([reader, *death], [], [], None if death else LOOK_SECONDS)
        _note(reader, groups)
    _note(reader, groups)
    for group in groups:
        with contextlib.suppress(OSError):
            os.killpg(group, signal.SIGKILL)
    if os.path.isdir(folder):  # noqa: PTH112 - pathlib and shutil are only worth their memory when they are needed
        import shutil  # noqa: PLC0415

        shutil.rmtree(folder, ignore_errors=True)


def _note(reader: int, groups: set[int]) -> None:
    with contextlib.suppress(BlockingIOError):
        told = os.read(reader, 65_536)
        # A dead group's number may be another's one day.
        groups.difference_update([group for group in groups if not _exists(group)])
        groups.update(int(line) for line in told.split())


def _exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except OSError:
        return False
    return True


def _death_of(worker: int) -> list[int]:
    with contextlib.suppress(AttributeError, OSError):
        return [os.pidfd_open(worker)]
    return []


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
