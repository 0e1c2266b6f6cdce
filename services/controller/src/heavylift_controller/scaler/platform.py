"""What the scaling loop needs of the place where workers run: a cluster, or this machine.

The loop decides and orders the steps; a platform looks and does one step at a time. Each step may be repeated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from heavylift.errors import HeavyliftError
from heavylift_controller.scaling import Decision

DRAINED = -2147483647
"""The deletion cost that a platform's `mark` gives: lower than what people would set."""


class PlatformError(HeavyliftError):
    """The platform cannot be asked: nothing may be decided from what it said before."""


class Stage(StrEnum):
    """How far a pod is, as the platform sees it. Whether its worker works is known from Redis."""

    PENDING = "pending"
    """Not started yet: no code of ours has run in it."""
    UNSCHEDULABLE = "unschedulable"
    """No node has room for it."""
    STARTING = "starting"
    """Its container runs and was never ready."""
    RUNNING = "running"
    """Its container runs and has been ready."""
    FAILING = "failing"
    """It ends and is started again, or its image cannot be had."""


@dataclass(frozen=True, slots=True)
class Pod:
    """A worker's pod, or its process. Its worker is known in Redis by the same name."""

    name: str
    age: float
    """Seconds since it could begin to start: since a node was found for it, or, until then, since it was created."""
    stage: Stage
    ready: bool
    leaving: bool = False
    """It was told to end: it counts no more, though it may still finish a job."""
    cost: int | None = None
    """Its deletion cost; None: it has none."""
    revision: str = ""
    """Which version of the pool's template it was made from."""
    began_at: float = 0.0
    """When that was, in seconds since the epoch by the platform's clock; 0: only the age is known."""


@dataclass(frozen=True, slots=True)
class Overrides:
    """What people ask for beside the settings of the installation. None: they do not."""

    hold_at: int | None = None
    hold_until: float | None = None
    """Seconds since the epoch; None: until released."""
    held_by: str = ""
    paused: bool | None = None
    freeze_in: bool | None = None
    freeze_out: bool | None = None
    least: int | None = None
    most: int | None = None
    idle: int | None = None
    target_wait: Mapping[str, float] = field(default_factory=dict)
    """Queue -> seconds."""


@dataclass(frozen=True, slots=True)
class Sight:
    """A pool as the platform sees it."""

    replicas: int
    """How many workers are asked for."""
    pods: tuple[Pod, ...]
    settled: bool = True
    """The platform has acted on `replicas`: who is to go is gone or leaving."""
    rollout: bool = False
    """Workers of two versions are there, or are about to be."""
    surplus: Mapping[str, int] = field(default_factory=dict)
    """Revision -> pods of it that the platform wants gone and the guard keeps: they wait to be drained and marked."""
    scaled_by: str = ""
    """Who set `replicas`, where that was a person or a program beside us."""
    scaled_at: float = 0.0
    """When, in seconds since the epoch; 0 where that is not known, since it was before this process looked on."""
    owner: str = ""
    """Another autoscaler that owns the number, such as `HorizontalPodAutoscaler/video`."""
    quota_room: int | None = None
    """How many more pods the quota admits; None: there is none."""
    read_ago: float = 0.0
    """Seconds since it was known to be so."""
    overrides: Overrides = field(default_factory=Overrides)

    @property
    def staying(self) -> tuple[Pod, ...]:
        """The pods that were not told to end."""
        return tuple(pod for pod in self.pods if not pod.leaving)


class Scaled(StrEnum):
    """What became of an attempt to set the number."""

    DONE = "done"
    CHANGED = "changed"
    """The number was not what it was decided from: somebody else has set it. Decide anew."""
    REFUSED = "refused"
    """The platform does not allow it (quota, policy, rights)."""


class Leadership(Protocol):
    """Who decides. Any number of controllers run; one leads."""

    def epoch(self) -> int | None:
        """Return the number of this leadership, higher than that of any before; None while another one leads."""
        ...

    def left(self) -> float:
        """Return for how many more seconds nobody else can lead, by a monotonic clock; 0 while not leading."""
        ...


class Platform(Protocol):
    """Where workers run."""

    @property
    def leadership(self) -> Leadership:
        """Who decides."""
        ...

    def look(self) -> Mapping[str, Sight]:
        """Return every pool by name; one that is missing does not exist there. Raises PlatformError."""
        ...

    def look_again(self, pool: str) -> Sight:
        """Return the pool as it is now, read from the source and not from a cache. Raises PlatformError."""
        ...

    def scale(self, pool: str, *, current: int, to: int) -> Scaled:
        """Set the number, if it still is `current`. Raises PlatformError: it may or may not have been set."""
        ...

    def mark(self, pool: str, pods: Sequence[str]) -> None:
        """Make these the first to go when the number falls. Raises PlatformError."""
        ...

    def unmark(self, pool: str, pods: Sequence[str]) -> None:
        """Take that back. Raises PlatformError."""
        ...

    def release(self, pool: str) -> None:
        """Take a number back that people hold the pool at where they steer it (a WorkerPool). Raises PlatformError."""
        ...

    def show(self, pool: str, decision: Decision, status: Mapping[str, object]) -> None:
        """Tell people what was decided, where they look at the platform. Never raises: telling is not deciding."""
        ...

    def note(self, pool: str, reason: str, sentence: str, *, warning: bool = False) -> None:
        """Tell people what happened to the pool (an Event). Never raises."""
        ...

    def close(self) -> None:
        """Lead no more, so that another one may at once, and end what runs in the background. Never raises."""
        ...
