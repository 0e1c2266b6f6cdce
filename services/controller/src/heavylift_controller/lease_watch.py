"""Which leases are dead: a pure decision over what was read and when.

The problem: a lease that is not renewed belongs to a worker that died, or to one that cannot reach Redis just now;
only the first may lose its job. Clocks of Redis and of workers do not help: they step, and a failover changes them.

The invariant: a lease is dead when the same token showed the same renewal counter for a whole period, measured by the
reaper's own clock, during which the reaper spoke with Redis without a break (contact.py). A break (an error, a new
connection, a gap between two answers, whatever its cause) gives every lease of every queue a fresh period, since
workers may have been cut off too.

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


class LeaseWatch:
    """Judges the leases of one queue, look by look."""

    def __init__(self, *, period: float) -> None:
        self._period = period
        self._since: dict[Lease, float] = {}

    def judge(self, look: Look, *, contact_since: float) -> list[Lease]:
        """Return the leases that are dead as of this look.

        A counter is known to stand still from the answer that showed it first to the asking of the newest look: the
        bounds are chosen so that a slow reply makes the judgement later, never too early. An answer from before
        contact was last broken shows nothing.
        """
        before = {lease: since for lease, since in self._since.items() if since >= contact_since}
        self._since = {lease: before.get(lease, look.answered) for lease in look.leases}
        return [lease for lease, since in self._since.items() if look.asked - since >= self._period]
