"""Since when the reaper has spoken with Redis without a break: a pure decision over answers.

Every answer counts, whichever queue it is about: with many queues a turn may take longer than the largest gap, and no
queue's own two answers would ever be close enough.
"""

from __future__ import annotations


class Contact:
    """Follows the answers to one part's commands. Times are seconds of one monotonic clock."""

    def __init__(self, *, largest_gap: float) -> None:
        self._largest_gap = largest_gap
        self._last: float | None = None
        self._connection = 0
        self.since = 0.0
        """When the first answer since the newest break came. What was seen before it says nothing about workers."""

    def lose(self) -> None:
        """Note an error: contact begins with the next answer."""
        self._last = None

    def answered(self, at: float, *, connection: int) -> str | None:
        """Note an answer, and the number of the connection it came over; returns how a break showed, if it did."""
        begins = self._last is None
        broken = self._break(at, connection)
        if begins or broken:
            self.since = at
        self._last = at
        self._connection = connection
        return broken

    def _break(self, at: float, connection: int) -> str | None:
        if self._last is None:
            return None
        if connection != self._connection:
            return "new connection"  # the client replaces a broken one in silence: Redis may have been away
        if at - self._last > self._largest_gap:
            return "gap between answers"
        return None
