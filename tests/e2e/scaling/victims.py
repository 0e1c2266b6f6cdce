"""Which pods a scale-in took, compared with which it was meant to take: from what was seen, not from what was said."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.e2e.scaling.seen import Seen, What

OURS = "heavylift-controller"
"""The field manager of the product's own writes."""
SLACK = 0.5
"""Seconds by which one watch may be ahead of another."""


@dataclass(frozen=True, slots=True)
class Leaving:
    """A pod that was told to end, and what is known about why."""

    seen: Seen
    marked: bool
    """Its worker could claim nothing at that moment."""
    rolled: bool
    """A newer template was there: a rollout replaced it."""
    lowered: Seen | None
    """How the number was last lowered."""

    @property
    def drained(self) -> bool:
        return self.marked and bool(self.seen.traits and self.seen.traits.costed and not self.seen.traits.ready)

    @property
    def wrong(self) -> bool:
        """Whether one of our scale-ins took it although it had not been drained."""
        return not self.rolled and self.lowered is not None and ours(self.lowered) and not self.drained

    def __str__(self) -> str:
        return f"{self.seen.name} of {self.seen.pool}: marked {self.marked}, {self.seen.traits}"


def leavings(entries: Sequence[Seen]) -> list[Leaving]:
    """Return every pod that was told to end, in order."""
    return [_leaving(each, entries) for each in entries if each.what is What.LEAVING]


def wrong(entries: Sequence[Seen]) -> list[str]:
    """Return the pods that a scale-in of the product's took although they had not been drained."""
    return [str(each) for each in leavings(entries) if each.wrong]


def scale_ins(entries: Iterable[Seen]) -> list[Seen]:
    """Return the scale-ins that the product asked for, as the Deployments showed them."""
    return [seen for seen in entries if seen.scale_in and ours(seen)]


def ours(seen: Seen) -> bool:
    """Tell whether the product has set a number. Kubernetes notes nobody for a 0; no test sets that by other means."""
    return seen.who == OURS or (seen.after == 0 and not seen.who)


def _leaving(leaving: Seen, entries: Sequence[Seen]) -> Leaving:
    earlier = [seen for seen in entries if seen.pool == leaving.pool and seen.at <= leaving.at + SLACK]
    marks = [seen for seen in earlier if seen.name == leaving.name and seen.what in {What.MARKED, What.UNMARKED}]
    # A mark is forgotten when its worker has gone, which may be seen here before the pod's end is.
    marked = any(seen.what is What.MARKED for seen in marks[-1:]) or any(
        seen.what is What.UNMARKED and seen.at >= leaving.at - SLACK for seen in marks[-1:]
    )
    created = [seen.traits.revision for seen in earlier if seen.what is What.CREATED and seen.traits]
    rolled = bool(leaving.traits) and created[-1:] != [leaving.traits.revision]
    lowered = [seen for seen in earlier if seen.scale_in]
    return Leaving(leaving, marked, rolled, lowered[-1] if lowered else None)
