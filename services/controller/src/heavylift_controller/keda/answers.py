"""What a pool's autoscaler is told: by the leader itself, else by what the leader has published.

No data is not zero: where nobody decides, or nothing could be read, there is no answer, and KEDA holds or falls back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from heavylift.errors import HeavyliftError
from heavylift_controller.keda import number
from heavylift_controller.keda.published import FRESH, Published
from heavylift_controller.scaler.served import Served
from heavylift_controller.scaler.status import PoolStatus


class UnknownPoolError(HeavyliftError):
    """There is no such pool in this installation."""

    def __init__(self, pool: str, known: Collection[str]) -> None:
        super().__init__(f"There is no pool {pool!r} here. There are: {', '.join(sorted(known)) or 'none'}.")


class UndecidedError(HeavyliftError):
    """Nobody decides on the pool at present; ask again in a moment."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is asked for."""

    number: int
    """Workers, with a target of 1 for each."""
    active: bool
    """Whether the pool must not be at zero."""


class Answers:
    """Answers from any thread."""

    def __init__(
        self,
        pools: Callable[[], Collection[str]],
        served: Served,
        published: Published,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pools = pools
        self._served = served
        self._published = published
        self._clock = clock

    def of(self, pool: str) -> Answer:
        """Return the answer. Raises UnknownPoolError, UndecidedError."""
        known = self._pools()
        if pool not in known:
            raise UnknownPoolError(pool, known)
        serving = self._served.get(pool)
        if serving is not None and self._clock() - serving.at <= FRESH:
            return Answer(serving.number, serving.active)
        status = self._published.get(pool)
        if status is None:
            raise UndecidedError(f"Nothing was decided on pool {pool!r} in the last {FRESH:g} s.")
        return _told(status)

    def watch(self, changed: Callable[[], None]) -> None:
        """Have this called after changes, from the thread that made one."""
        self._served.watch(changed)
        self._published.changed = changed


def _told(status: PoolStatus) -> Answer:
    if status.frozen:
        raise UndecidedError(f"Pool {status.pool!r} is held as it is: {status.limiter}.")
    if status.shadow:
        raise UndecidedError(f"Pool {status.pool!r} is only looked at (shadow).")
    leaving = bool(status.draining or status.going)
    pool = {"replicas": status.current, "wanted": status.desired}
    return Answer(
        number.number(**pool, shrinking=leaving),
        number.active(**pool, landing=bool(status.going)),
    )
