"""What Redis says of all pools at one moment, in one round trip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from heavylift.constants import Keys
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
    orders: Mapping[str, bytes] = field(default_factory=dict)
    """By pool."""

    @property
    def now(self) -> float | None:
        """Redis's time, in seconds since the epoch; None where no queue could be read."""
        return max((scene.now for scene in self.scenes.values()), default=None)


def read(keys: Keys, queues: Sequence[str], *, at: float) -> Call[Reading]:
    """Read it. The queues come last: who holds jobs is known as late as can be."""
    workers, orders, scenes = read_workers(keys), read_steering(keys), read_scenes(keys, queues)

    def parse(replies: list[Reply]) -> Reading:
        return Reading(at, scenes.parse(replies[2:]), workers.parse(replies[:1]), orders.parse(replies[1:2]))

    commands = [*workers.commands, *orders.commands, *scenes.commands]
    return Call(commands, parse, scenes.script, tolerant=True)
