"""The folder that holds what a development stack keeps: Redis's data, artifacts, logs, results."""

from __future__ import annotations

import fcntl
from pathlib import Path

from heavylift.dev.errors import StackError


class DataFolder:
    """A data folder, in use by one stack at a time: two Redis servers on one append-only file destroy it."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.redis = self.root / "redis"
        self.artifacts = self.root / "artifacts"
        self.logs = self.root / "logs"
        self.results = self.root / "results"
        self.pools = self.root / "pools.json"

    def acquire(self) -> None:
        """Make the folder and take it. Raises StackError."""
        try:
            for folder in (self.redis, self.artifacts, self.logs):
                folder.mkdir(parents=True, exist_ok=True)
            self._lock = (self.root / "lock").open("w")
        except OSError as error:
            raise StackError(
                f"The data folder {self.root} cannot be written ({error.strerror}). Choose another with --data."
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.close()
            raise StackError(
                f"Another stack uses the data folder {self.root}. End it, or choose another folder with --data."
            ) from error

    @property
    def lock(self) -> int:
        """The descriptor that holds the folder."""
        return self._lock.fileno()

    def release(self) -> None:
        """Let others use the folder. The lock file stays: removing it would let two stacks lock two files."""
        self._lock.close()
