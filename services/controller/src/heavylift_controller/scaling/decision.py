"""What was decided, with everything it was decided from: one record explains every number."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from heavylift_controller.scaling.memory import Memory


class Limiter(StrEnum):
    """What made the number what it is."""

    SLO = "slo"
    STEADY = "steady"
    WORK = "work"
    IDLE = "idle"
    MIN = "min"
    WINDOW = "window"
    MAX = "max"
    QUOTA = "quota"
    UNSCHEDULABLE = "unschedulable"
    FAILING = "failing"
    WAITING = "waiting"
    HOLD = "hold"
    FLAP = "flap guard"
    BUSY = "busy"
    ROLLOUT = "rollout"
    PAUSED = "paused"
    FREEZE_IN = "freeze-in"
    FREEZE_OUT = "freeze-out"
    HELD = "held by hand"
    FROZEN = "frozen"


@dataclass(frozen=True, slots=True)
class Inputs:
    """What was seen and learned. Times are seconds; None is not known."""

    waiting: int | None = None
    running: int | None = None
    oldest_age: float | None = None
    arrivals_per_second: float | None = None
    service_seconds: float | None = None
    boot_seconds: float | None = None
    hold_seconds: float | None = None
    idle: int | None = None
    booting: int | None = None
    busy: int | None = None
    unknown: int | None = None
    unavailable: int | None = None
    """Workers whose pods find no node or fail."""


@dataclass(frozen=True, slots=True)
class Terms:
    """The workers each consideration asks for, before the next one."""

    backlog: int = 0
    """For each waiting job to begin in time, with the workers that stay; 0 while none waits."""
    steady: int = 0
    """For the work that arrives, on average."""
    work: int = 0
    """For the jobs that run, were they on as few workers as hold them."""
    spare: int = 0
    """For the workers that stay and `idle` more; 0 where none is to be kept idle."""
    floor: int = 0
    """`least`, or what a window asks for."""
    wanted: int = 0
    """The most of these."""
    kept: int = 0
    """The most that was wanted within the hold."""
    ceiling: int = 0
    """What `most`, the quota and the nodes admit."""


@dataclass(frozen=True, slots=True)
class Decision:
    """`desired` is what is wanted, `replicas` what to ask for now: never fewer than the workers that must stay."""

    current: int
    desired: int
    replicas: int
    removable: int
    """How many workers hold no job and may go."""
    limiter: Limiter
    cause: str
    """What the limiter stands for, where a word says more: `redis`, `pods`."""
    inputs: Inputs
    terms: Terms
    memory: Memory

    @property
    def reason(self) -> str:
        """The limiter and its cause, as in `frozen: redis`."""
        return f"{self.limiter}: {self.cause}" if self.cause else str(self.limiter)
