"""A disk for artifacts that is small enough to be filled."""

from __future__ import annotations

import errno
import os
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

MEGABYTES = 96
"""Room for 10,000 files of a page, and half as much again."""

BLOCK = b"\0" * (1 << 20)


def why_not() -> str | None:
    """Return why no disk can be mounted here, if none can."""
    if os.geteuid() != 0:
        return "filling a disk needs root, to mount a small tmpfs for the artifacts"
    with tempfile.TemporaryDirectory() as folder:
        tried = subprocess.run(mount_command(Path(folder)), capture_output=True, text=True, check=False, timeout=10)
        if tried.returncode:
            return f"no tmpfs can be mounted here: {tried.stderr.strip()}"
        subprocess.run(["umount", folder], check=True, timeout=10)
    return None


def mount_command(folder: Path) -> list[str]:
    return ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "faults", str(folder)]


@contextmanager
def mounted(folder: Path) -> Generator[None]:
    """Mount the small disk there meanwhile."""
    folder.mkdir(parents=True)
    subprocess.run(mount_command(folder), check=True, timeout=10)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True, timeout=10)


@contextmanager
def full(folder: Path) -> Generator[None]:
    """Fill the disk to the last byte meanwhile."""
    ballast = folder / "ballast"
    try:
        with ballast.open("wb", buffering=0) as file:
            fill(file.fileno())
        yield
    finally:
        ballast.unlink(missing_ok=True)


def fill(file: int) -> None:
    """Write until there is no room for another byte."""
    size = len(BLOCK)
    while size:
        try:
            os.write(file, BLOCK[:size])
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            size //= 2
