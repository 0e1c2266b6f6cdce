"""When to believe that there is nothing of a kind, though only a refusal says so.

What people ask for in an object, and which autoscaler has a number, does not end because the object cannot be read. But
a cluster may lack a kind, or not let us read it, and then nothing waits for it. The two look alike for a while: an API
server that has just started forbids (403) what it allows once it has read its rules, and may not find (404) a kind that
is there. So what was read stays until it is not found for long, and what was never read is awaited: until it is not
found, or is forbidden for long. Any other error (5xx) says nothing of either.

What is not guaranteed: a right that is taken away leaves what was read with it as it was, until this process ends.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

ABSENT = (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)
FORBIDDEN_SECONDS = 15.0
"""How long what was never read is to be forbidden, while other things may be read, until nothing waits for it."""
REMOVED_SECONDS = 60.0
"""How long what was read is not to be found until it is gone."""


class Absence:
    """Judges by the answers to one path's lists and watches. Told by one thread; `known` may be read by any."""

    def __init__(self, may_read: Callable[[], bool] = lambda: True) -> None:
        """`may_read` tells whether the server allows us something now: it knows its rules."""
        self._may_read = may_read
        self._listed = False
        self._status = 0
        self._since = 0.0
        self.known = False
        """Whether the kind was read once, or believed not to be there."""

    def listed(self) -> None:
        """Note that the kind could be read."""
        self.known = self._listed = True
        self._status = 0

    def believed(self, status: int, at: float) -> bool:
        """Note an error with this status; return whether there is nothing. `at` is in seconds of any clock."""
        blind = status == HTTPStatus.FORBIDDEN and not self._may_read()
        if status != self._status or blind:
            self._status, self._since = status, at
        if status not in ABSENT or blind or not self._lasts(at - self._since):
            return False
        self.known, self._listed = True, False
        return True

    def _lasts(self, seconds: float) -> bool:
        if self._listed:
            return self._status == HTTPStatus.NOT_FOUND and seconds >= REMOVED_SECONDS
        return self._status == HTTPStatus.NOT_FOUND or seconds >= FORBIDDEN_SECONDS
