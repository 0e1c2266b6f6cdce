"""Which leases are dead: a pure decision over what was read and when.

The problem: a lease that is not renewed belongs to a worker that died, or to one that cannot reach Redis just now;
only the first may lose its job. Clocks of Redis and of workers do not help: they step, and a failover changes them.

The invariant: a lease is dead when the same token showed the same renewal counter for a whole period, measured by the
reaper's own clock, during which the reaper spoke with Redis without a break. A break (an error, a new connection, a
gap between two answers, whatever its cause) gives every lease a fresh period, since workers may have been cut off too.

Not guaranteed: a worker that is frozen or cut off alone, while the reaper is in contact, loses its jobs. Its token
then writes nothing any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from heavylift.operations import Lease


@dataclass(frozen=True, slots=True)
class Look:
    """One reading of a queue's leases. Times are seconds of one monotonic clock."""

    leases: Sequence[Lease]
    asked: float
    """Just before the command was sent."""
    answered: float
    """Just after the reply came."""
    connection: int = 0
    """Number of the connection it came over; another one means that Redis may have been away."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a look shows."""

    dead: list[Lease]
    interrupted: str | None
    """Why every lease was given a fresh period, if it was."""


class LeaseWatch:
    """Judges the leases of one queue, look by look."""

    def __init__(self, *, period: float, largest_gap: float) -> None:
        self._period = period
        self._largest_gap = largest_gap
        self._last: Look | None = None
        self._since: dict[Lease, float] = {}

    def lose_contact(self) -> None:
        """Give every lease a fresh period, from the next look on."""
        self._last = None
        self._since = {}

    def judge(self, look: Look) -> Verdict:
        """Return the leases that are dead as of this look.

        A counter is known to stand still from the answer that showed it first to the asking of the newest look: the
        bounds are chosen so that a slow reply makes the judgement later, never too early.
        """
        interrupted = self._interruption(look)
        if interrupted:
            self._since = {}
        self._last = look
        self._since = {lease: self._since.get(lease, look.answered) for lease in look.leases}
        dead = [lease for lease, since in self._since.items() if look.asked - since >= self._period]
        return Verdict(dead, interrupted)

    def _interruption(self, look: Look) -> str | None:
        if self._last is None:
            return None
        if look.connection != self._last.connection:
            return "new connection"
        if look.answered - self._last.answered > self._largest_gap:
            return "gap between answers"
        return None
