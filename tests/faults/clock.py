"""Moving the wall clock of a whole stack, Redis included: clock.c, compiled and preloaded into its processes."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

SOURCE = Path(__file__).with_name("clock.c")
VARIABLES = ("LD_PRELOAD", "FAULTS_CLOCK")


def why_not() -> str | None:
    """Return why clocks cannot be moved here, if they cannot."""
    if sys.platform != "linux":
        return "moving clocks needs Linux (LD_PRELOAD)"
    return None if shutil.which("cc") else "moving clocks needs a C compiler (cc) for tests/faults/clock.c"


class Clock:
    """The offset of a stack's wall clock."""

    def __init__(self, folder: Path) -> None:
        library = folder / "clock.so"
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, SOURCE, "-ldl"], check=True, timeout=60)
        self._file = folder / "clock"
        self.move(0)
        self.env = dict(zip(VARIABLES, (str(library), str(self._file)), strict=True))

    def move(self, seconds: float) -> None:
        """Set the offset, at once and for all processes."""
        with self._file.open("r+b" if self._file.exists() else "wb") as file:
            os.pwrite(file.fileno(), struct.pack("=q", int(seconds * 1e6)), 0)

    @contextmanager
    def preloaded(self) -> Generator[None]:
        """Have processes that are started meanwhile run on this clock."""
        os.environ.update(self.env)
        try:
            yield
        finally:
            for name in VARIABLES:
                del os.environ[name]
