"""Whether something that takes turns still does: what `/livez` looks at."""

from __future__ import annotations

import time


class Pulse:
    """When a loop took its newest turn. Turned by the loop itself, read from other threads."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._turned_at = time.monotonic()

    def turned(self) -> None:
        """Note a turn."""
        self._turned_at = time.monotonic()

    def age(self) -> float:
        """Return the seconds since the newest turn."""
        return time.monotonic() - self._turned_at
