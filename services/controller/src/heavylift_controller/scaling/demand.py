"""How many workers the waiting jobs need, so that each begins before its deadline.

Every slot is free at some time: now, when its job ends, when its pod has booted. From then to the deadline it begins
one job after the other. The plan counts these beginnings and asks for the fewest workers that make enough of them.
So short jobs need far fewer workers than jobs; a job that lasts to the deadline needs a slot of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil

from heavylift_controller.scaling.boot_times import BootTime

LATER = 0.25
"""The share of its boot by which a new worker is planned to come later than learned. What has been started is held to
its boot alone: on the edge between two numbers the higher is set at once, not a moment after the lower."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """So many jobs, with all that come before them in the workers' order, have to begin within `left` seconds."""

    jobs: float
    left: float
    seconds: float
    """What one of them takes of these seconds, on average."""

    def begun(self, free_in: float) -> float:
        """Return how many jobs a slot begins in time. On average half a job's time is lost at the end."""
        return max(0.0, 0.5 + (self.left - free_in) / self.seconds, 1.0 if free_in <= self.left else 0.0)

    def begun_by_spare(self, free_in: float) -> float:
        """The same for a slot that has no job: late or not, it takes one."""
        return max(1.0, self.begun(free_in))


@dataclass(frozen=True, slots=True)
class Crew:
    """The workers there are: those that cannot go, and those that could, the most useful first."""

    kept: int
    """Busy and unknown workers."""
    kept_free_in: tuple[float, ...]
    """Seconds until each slot of the busy ones is free."""
    spare_free_in: tuple[float, ...]
    """Seconds until each worker without a job takes jobs."""
    booting: int
    unavailable: int
    """Workers whose pods find no node or fail: they count as replicas and take no jobs."""
    slots: int


def needed(deadlines: Sequence[Deadline], crew: Crew, boot: BootTime, *, most: int) -> int:
    """Return the workers needed, those that cannot go included."""
    short = [deadline.jobs - sum(map(deadline.begun, crew.kept_free_in)) for deadline in deadlines]
    for spare, free_in in enumerate(crew.spare_free_in):
        if all(missing <= 0 for missing in short):
            return crew.kept + spare
        short = [
            missing - crew.slots * deadline.begun_by_spare(free_in)
            for missing, deadline in zip(short, deadlines, strict=True)
        ]
    there = crew.kept + len(crew.spare_free_in)
    new = _new(zip(short, deadlines, strict=True), crew, boot, room=max(0, most - there))
    return there + crew.unavailable + new if new else there


def _new(short: Iterable[tuple[float, Deadline]], crew: Crew, boot: BootTime, *, room: int) -> int:
    """Return how many new workers make up for what is short: the more boot at once, the later they all are."""
    missing = [(jobs / crew.slots, deadline) for jobs, deadline in short if jobs > 0]
    if not missing:
        return 0
    one_each = max(ceil(jobs - 1e-9) for jobs, _ in missing)
    for new in range(1, min(one_each, room) + 1):
        ready_in = (1 + LATER) * boot.of(crew.booting + new)
        if all(new * deadline.begun_by_spare(ready_in) >= jobs for jobs, deadline in missing):
            return new
    return one_each
