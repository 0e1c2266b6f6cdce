"""What a development stack consists of."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

API_PORT = 8000

POOL = "default"
"""The one pool of a stack: every worker serves every job type."""


def default_workers() -> int:
    """Return how many workers there may be unless said otherwise: one a processor, but a laptop has other work too."""
    return min(max(2, os.cpu_count() or 2), 4)


@dataclass(frozen=True, slots=True)
class PoolOptions:
    """What the controller is told of the stack's pool."""

    least: int
    most: int
    target_wait: float


@dataclass(frozen=True, slots=True)
class StackOptions:
    """What the stack consists of."""

    data: Path = Path(".data")
    """The folder for Redis's data, artifacts and logs."""
    port: int | None = API_PORT
    """The API's port; None takes a free one."""
    workers: int = field(default_factory=default_workers)
    """The most worker processes, with one slot each; as many run as the waiting jobs need."""
    min_workers: int = 1
    """Worker processes that run even while there is nothing to do."""
    target_wait: float = 5.0
    """Seconds a job should wait at most: the more workers are started for a burst, the shorter. That is short, since a
    process of one's own machine costs little, but longer than it takes to start."""
    redis_url: str | None = None
    """A Redis to use instead of the stack's own."""
    flower: bool = True
    """Whether Flower runs, on port 5555 or the next free one."""
    jobs: Sequence[str] = ()
    """Modules with job types, instead of the built-in ones."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Settings added to every process's environment."""

    @property
    def pool(self) -> PoolOptions:
        """The pool: `workers` comes first where it contradicts `min_workers`."""
        return PoolOptions(min(self.min_workers, self.workers), self.workers, self.target_wait)
