"""Cutting the last second off an AOF.

With `appendfsync everysec` a power cut loses what the kernel had not yet written to disk. A killed process loses none
of what it has written; so the file's size is noted ten times a second, and cut back to what it was.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from types import TracebackType

INTERVAL = 0.1


class AofSizes:
    """Notes the size of the growing AOF file of a Redis's folder, from a thread. Use it as a context manager."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sizes: list[tuple[float, Path, int]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> AofSizes:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(5)

    def cut(self, at: float) -> float:
        """Cut the file back to its size at that monotonic time; returns the time of the note that was used."""
        file = growing(self._folder)
        noted, _, size = max(note for note in list(self._sizes) if note[0] <= at and note[1] == file)
        os.truncate(file, size)
        return noted

    def _watch(self) -> None:
        while not self._stop.wait(INTERVAL):
            file = growing(self._folder)
            self._sizes.append((time.monotonic(), file, file.stat().st_size))


def growing(folder: Path) -> Path:
    """Return the AOF file that is written to: of several parts since Redis 7, a single one before."""
    parts = [*folder.glob("appendonlydir/*.incr.aof"), *folder.glob("appendonly.aof")]
    return max(parts, key=lambda part: part.stat().st_mtime)
