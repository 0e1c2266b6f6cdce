"""Jobs that arrive over time, and what goes wrong meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

Arrival = tuple[float, float, str]
"""When a job comes and how long it takes, in seconds, and its queue."""


@dataclass(slots=True, eq=False)
class Job:
    """A job of a workload; `started` is filled in by a run."""

    arrival: float
    service: float
    queue: str = "default"
    started: float | None = None


@dataclass(frozen=True)
class Outage:
    """Redis cannot be reached: nothing is accepted, claimed or read; what runs goes on."""

    begins: float
    ends: float


@dataclass(frozen=True)
class NodeLoss:
    """A node dies with all its pods; nobody is told."""

    at: float


@dataclass(frozen=True)
class Workload:
    """Jobs in order of arrival, and faults."""

    name: str
    jobs: Sequence[Arrival]
    outages: tuple[Outage, ...] = ()
    node_losses: tuple[NodeLoss, ...] = ()
    most: int = 60
    """The most workers any policy may ask for."""
    traits: frozenset[str] = field(default_factory=frozenset)
    """What the goals ask of it: `bursty`, `steady`."""
    about: str = ""

    @property
    def duration(self) -> float:
        """When the last job arrives."""
        return self.jobs[-1][0] if self.jobs else 0.0

    @property
    def queues(self) -> list[str]:
        """The queues, in order of first arrival."""
        return list(dict.fromkeys(queue for _, _, queue in self.jobs))
