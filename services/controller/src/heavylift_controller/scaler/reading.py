"""What Redis says of all pools at one moment, in one round trip."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from heavylift.constants import Keys
from heavylift.errors import StoreUnavailable
from heavylift.operations import QueueScene, WorkerReport, read_scenes, read_steering, read_workers
from heavylift.store import Call, Reply


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read."""

    at: float
    """Before it was asked, by our monotonic clock."""
    scenes: Mapping[str, QueueScene]
    """By queue; one that could not be read is missing."""
    reports: Mapping[str, WorkerReport]
    """By worker."""
    orders: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict)
    """By pool and matter; the newest about each."""
    now: float | None = None
    """Redis's time, in seconds since the epoch; None where no queue could be read."""
    served: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Pool -> queues from which its workers say that they take jobs."""


def read(keys: Keys, queues: Sequence[str], *, at: float) -> Call[Reading]:
    """Read it. The queues come last: who holds jobs is known as late as can be.

    Raises StoreUnavailable where what is of all pools cannot be read.
    """
    workers, orders, scenes = read_workers(keys), read_steering(keys), read_scenes(keys, queues)

    def parse(replies: list[Reply]) -> Reading:
        for key, reply in zip((keys.workers, keys.steering), replies, strict=False):
            if reply is None:
                raise StoreUnavailable(f"{key} in Redis is no hash: something else writes to it; delete that key")
        found = scenes.parse(replies[2:])
        now = max((scene.now for scene in found.values()), default=None)
        reports = workers.parse(replies[:1])
        return Reading(at, found, reports, orders.parse(replies[1:2]), now, _served(reports.values()))

    commands = [*workers.commands, *orders.commands, *scenes.commands]
    return Call(commands, parse, scenes.script, tolerant=True)


def _served(reports: Iterable[WorkerReport]) -> Mapping[str, frozenset[str]]:
    served: dict[str, frozenset[str]] = {}
    for report in reports:
        known = served.get(report.pool, frozenset())
        if not known.issuperset(report.queues):
            served[report.pool] = known.union(report.queues)
    return served
