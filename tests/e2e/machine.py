"""Two processes test at a time, each on a cluster of its own; what is timed has the machine to itself."""

from __future__ import annotations

import fcntl
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

FOLDER = Path(__file__).parents[2] / "dist"


@contextmanager
def used(*, alone: bool) -> Generator[None]:
    """Use the machine beside the other process, or alone: once its test has ended, and before its next begins."""
    FOLDER.mkdir(exist_ok=True)
    with _file("gate") as gate, _file("machine") as machine:
        fcntl.flock(gate, fcntl.LOCK_EX)  # nobody else goes in while somebody waits to be alone
        fcntl.flock(machine, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        if not alone:
            fcntl.flock(gate, fcntl.LOCK_UN)
        yield


def _file(name: str) -> TextIO:
    return (FOLDER / f"e2e-{name}.lock").open("w")
