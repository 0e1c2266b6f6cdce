"""What is seen of pools, independent of what the controller says: one list of observations, in the order they came."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class What(StrEnum):
    """What happened. In brackets: where it was seen."""

    SCALED = "scaled"
    """[Deployment] its number was changed; `who` is the field manager that did."""
    CREATED = "created"
    """[pod]"""
    READY = "ready"
    """[pod]"""
    NOT_READY = "not ready"
    """[pod] it was ready before."""
    COSTED = "costed"
    """[pod] it was given a deletion cost."""
    UNCOSTED = "uncosted"
    """[pod] that was taken back."""
    LEAVING = "leaving"
    """[pod] it was told to end."""
    MARKED = "marked"
    """[Redis] the worker may claim nothing."""
    UNMARKED = "unmarked"
    """[Redis] it may again, or its mark was forgotten when it had gone."""
    GOING = "going"
    """[Redis] the leader has written down who is about to go."""
    LEADS = "leads"
    """[Lease] another controller leads."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What a pod was like when it was created, or told to end."""

    costed: bool
    ready: bool
    revision: str
    """Which template it was made from."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One observation."""

    at: float
    """Seconds since the epoch, by this machine's clock."""
    what: What
    pool: str
    name: str = ""
    """The pod, or the leader."""
    who: str = ""
    before: int = 0
    after: int = 0
    traits: Traits | None = None

    @property
    def scale_in(self) -> bool:
        return self.what is What.SCALED and self.after < self.before


@dataclass
class Chronicle:
    """All observations. Any thread adds; any thread waits."""

    entries: list[Seen] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def add(self, what: What, pool: str, **facts: object) -> None:
        with self._changed:
            self.entries.append(Seen(time.time(), what, pool, **facts))  # ty: ignore[invalid-argument-type]
            self._changed.notify_all()

    def since(self, position: int) -> Sequence[Seen]:
        with self._changed:
            return self.entries[position:]

    @property
    def position(self) -> int:
        """Where the next observation will be."""
        with self._changed:
            return len(self.entries)

    def wait(self, fits: Callable[[Seen], bool], timeout: float, *, after: int | None = None, what: str = "") -> Seen:
        """Return the first observation that fits, from now on or from a position on; it is there at once, not polled.

        Raises AssertionError after `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        with self._changed:
            position = len(self.entries) if after is None else after
            while True:
                for seen in self.entries[position:]:
                    if fits(seen):
                        return seen
                position = len(self.entries)
                left = deadline - time.monotonic()
                assert left > 0, f"not seen within {timeout:g} s: {what or fits}"
                self._changed.wait(left)
