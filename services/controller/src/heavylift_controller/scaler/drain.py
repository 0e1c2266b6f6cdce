"""Which workers go, and what is to be done next so that none of them is at work: a pure function of what is seen.

The problem: whoever ends pods (a ReplicaSet) chooses them by their looks, later than we have looked, and workers take
jobs meanwhile. The order of steps: workers are marked in Redis, from when on they are given no job; those that a later
look shows without a job hold nothing and can get nothing; they say so by not being ready, and are marked once more
where the pods are, so that they are the first to go; only then, everything read again, the number falls.

Each step is found anew from what is seen, so that it does not matter who did the one before, or whether it was done.
The invariants: nobody with a job, or who might have one, is ever among those that go; nothing goes while it cannot be
told who would; no mark is taken back while the platform might be about to end somebody.

Not guaranteed: which pods go where somebody else changes the number or the pods in the milliseconds between the last
look and our change. Then the first to go are still those that are marked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from heavylift_controller.scaler.platform import DRAINED, Stage

RENEW_BELOW = 300.0
"""Seconds a mark still holds when it is renewed: half of its length."""
LEAST_HOLD = 60.0
"""Seconds a mark must still hold for its worker to go: far longer than that takes."""
LEAST_LEFT = 5.0
"""Seconds of leadership that must be left for a scale-in: nobody else begins to decide in the middle of it."""
MOST_NAMED = 3
"""Workers a sentence names."""
PATIENCE = 10.0
"""Seconds after which those that are drained go without those that are not yet."""


@dataclass(frozen=True, slots=True)
class Member:
    """A pod that was not told to end, with what Redis says of its worker."""

    name: str
    stage: Stage
    ready: bool
    cost: int | None = None
    revision: str = ""
    busy: bool = False
    """It holds a job."""
    unknown: bool = False
    """It might hold one: its worker does not report."""
    mark: float | None = None
    """Seconds for which it is given no job of any of its queues; 0: it is marked in some of them only."""
    idle: float = 0.0
    """Seconds without a job."""

    @property
    def well(self) -> bool:
        """Whether the platform has no reason of its own to end this one first."""
        return self.stage is Stage.RUNNING and self.ready and self.cost is None

    @property
    def empty(self) -> bool:
        """Whether it holds nothing and can get nothing, and shows it."""
        marked = self.mark is not None and self.mark >= LEAST_HOLD
        return marked and not (self.busy or self.unknown or self.ready)


@dataclass(frozen=True, slots=True)
class Seen:
    """A pool, as far as it matters for who goes."""

    replicas: int
    members: tuple[Member, ...]
    strays: frozenset[str] = frozenset()
    """Marked workers that are no pod of any pool: they have gone."""
    settled: bool = True
    """The platform has ended whom it was to end, and not just now."""
    rollout: bool = False
    surplus: Mapping[str, int] = field(default_factory=dict)
    """Revision -> pods of it that the platform wants gone once they are drained."""
    left: float = 0.0
    """Seconds of leadership."""
    waited: float = 0.0
    """Seconds since the drain began."""

    @property
    def calm(self) -> bool:
        """Whether the platform is not about to end somebody. In a rollout it ends whom it likes, marked or not."""
        too_many = len(self.members) > self.replicas and not self.rollout
        return self.settled and not self.surplus and not too_many

    @property
    def obstacle(self) -> str:
        """Why it could not be told who would go, whatever is done; empty: nothing."""
        foreign = [member.name for member in self.members if member.cost not in (None, DRAINED)]
        if self.rollout:
            return "a rollout is under way"
        if self.surplus:
            return "workers wait to be drained for another change"
        return f"somebody else has set a deletion cost on {_names(foreign)}" if foreign else ""


@dataclass(frozen=True, slots=True)
class Shrink:
    """The number to set, and who goes by it."""

    to: int
    going: frozenset[str]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done next, by workers' names. What is done already is not in it."""

    victims: tuple[str, ...] = ()
    mark: tuple[str, ...] = ()
    """To be given no more jobs, or not for longer."""
    release: tuple[str, ...] = ()
    """To be given jobs again."""
    cost: tuple[str, ...] = ()
    """To be the first to go."""
    uncost: tuple[str, ...] = ()
    shrink: Shrink | None = None
    """To be done if the very same comes out of another look at everything."""
    waits_for: str = ""
    """Why nothing goes yet that is to go, in words."""


def plan(seen: Seen, wanted: int) -> Plan:
    """Return the next step towards so many workers. With `replicas` or more, it is to take everything back."""
    victims = [*_surplus_of(seen), *_victims_of(seen, wanted)]
    names = {victim.name for victim in victims}
    others = [member for member in seen.members if member.name not in names]
    shrink, waits_for = _shrink(seen, wanted, victims, others)
    released = _released(seen, others)
    return Plan(
        victims=tuple(victim.name for victim in victims),
        mark=_marked(seen, victims, others, released),
        release=released,
        cost=tuple(victim.name for victim in victims if victim.empty and victim.cost is None),
        uncost=tuple(member.name for member in others if member.cost == DRAINED) if seen.calm else (),
        shrink=shrink,
        waits_for=_held_up(seen, victims) or waits_for,
    )


def _marked(
    seen: Seen, victims: Sequence[Member], others: Sequence[Member], released: Sequence[str]
) -> tuple[str, ...]:
    """Return whose marks are set or renewed: also of those that the platform may be about to end, however late."""
    going = [] if seen.calm else [each for each in others if each.mark is not None or _was_to_go(each)]
    kept = [each for each in going if each.name not in released]
    return tuple(each.name for each in (*victims, *kept) if each.mark is None or each.mark < RENEW_BELOW)


def _was_to_go(member: Member) -> bool:
    """Whether its mark has run out while it waits to be ended, and it has no job yet."""
    return member.cost == DRAINED and not (member.busy or member.unknown)


def _released(seen: Seen, others: Sequence[Member]) -> tuple[str, ...]:
    """Return whose marks are taken back. While somebody is about to go it is not known who: then nobody's.

    But for a rollout's sake: it waits for its new workers to be ready. Those without our cost are none of those that a
    lower number of ours takes.
    """
    if not seen.calm:
        return tuple(each.name for each in others if each.mark is not None and each.cost is None and seen.rollout)
    return (*(member.name for member in others if member.mark is not None), *sorted(seen.strays))


def _victims_of(seen: Seen, wanted: int) -> list[Member]:
    """Return who is to go for a lower number: as many as are too many, as far as there are some without a job."""
    if wanted >= seen.replicas or seen.obstacle:
        return []
    free = [member for member in seen.members if not member.busy and not member.unknown]
    return sorted(free, key=_order)[: max(0, len(seen.members) - wanted)]


def _surplus_of(seen: Seen) -> list[Member]:
    """Return who is to go for a change of the platform's own, which waits for us.

    Busy ones too: given no more jobs they end the one they have, and only then go.
    """
    victims: list[Member] = []
    for revision, count in seen.surplus.items():
        known = [member for member in seen.members if member.revision == revision and not member.unknown]
        victims += sorted(known, key=lambda member: (member.mark is None, member.busy, _order(member)))[:count]
    return victims


def _held_up(seen: Seen, victims: Sequence[Member]) -> str:
    """Return whom a change of the platform's own waits for, in words; empty: for nobody but us."""
    chosen = Counter(victim.revision for victim in victims)
    short = {revision for revision, count in seen.surplus.items() if chosen[revision] < count}
    silent = [member.name for member in seen.members if member.unknown and member.revision in short]
    if silent:
        return f"a change waits for {_names(silent)}: no report comes from there; delete what runs nothing"
    working = [victim.name for victim in victims if victim.busy]
    return f"a change waits for the jobs of {_names(working)}" if working else ""


def _order(member: Member) -> tuple[int, bool, float, str]:
    """Return a key that sorts those first whose end costs least."""
    if member.stage in (Stage.PENDING, Stage.UNSCHEDULABLE, Stage.FAILING):
        rank = 0
    elif member.stage is Stage.STARTING:
        rank = 1
    else:
        rank = 2 if member.mark is not None else 3
    return rank, member.mark is None, -member.idle, member.name


def _shrink(seen: Seen, wanted: int, victims: Sequence[Member], others: Sequence[Member]) -> tuple[Shrink | None, str]:
    """Return the change of the number that may be tried, or why there is none yet."""
    if wanted >= seen.replicas:
        return None, ""
    if seen.obstacle:
        return None, f"nothing is scaled in: {seen.obstacle}"
    going = [victim for victim in victims if victim.empty and victim.cost == DRAINED]
    staying = [*others, *(victim for victim in victims if victim not in going)]
    to = max(wanted, len(staying))
    if to >= seen.replicas and not victims:
        return None, ""
    if waits_for := _missing(seen, victims, going, staying):
        return None, waits_for
    return Shrink(to, frozenset(victim.name for victim in going)), ""


def _missing(seen: Seen, victims: Sequence[Member], going: Sequence[Member], staying: Sequence[Member]) -> str:
    """Return what has yet to come true before the number may fall."""
    if not seen.calm:
        return "the last change of the number has not settled"
    if len(going) < len(victims) and (not going or seen.waited < PATIENCE):
        late = [victim.name for victim in victims if victim not in going]
        return f"waits for the drain of {_names(late)}"
    if ill := [member.name for member in staying if not member.well]:
        return f"waits for {_names(ill)} to be ready: until then it could go instead"
    if seen.left < LEAST_LEFT:
        return "too little is left of the leadership"
    return ""


@dataclass(frozen=True, slots=True)
class Going:
    """A scale-in that is under way: who is to go by it, and who is to stay."""

    names: frozenset[str]
    staying: frozenset[str]
    to: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """Who went by a scale-in."""

    deleted: frozenset[str]
    wrong: frozenset[str]
    """They were to stay, and are gone or told to end."""


def verdict(going: Going, there: frozenset[str]) -> Verdict:
    """Return who went, from who is there now that the platform has acted."""
    return Verdict(going.names - there, going.staying - there)


def _names(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(sorted(names)[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
