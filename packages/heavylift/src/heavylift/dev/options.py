"""What a development stack consists of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

API_PORT = 8000


@dataclass(frozen=True, slots=True)
class StackOptions:
    """What the stack consists of."""

    data: Path = Path(".data")
    """The folder for Redis's data, artifacts and logs."""
    port: int | None = API_PORT
    """The API's port; None takes a free one."""
    workers: int = 2
    """Worker processes, with one slot each."""
    redis_url: str | None = None
    """A Redis to use instead of the stack's own."""
    flower: bool = True
    """Whether Flower runs, on port 5555 or the next free one."""
    jobs: Sequence[str] = ()
    """Modules with job types, instead of the built-in ones."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Settings added to every process's environment."""
