"""Makes pools as a test wants to see them."""

from __future__ import annotations

from dataclasses import replace

from heavylift_controller.scaling import (
    Decision,
    Memory,
    Phase,
    PoolSettings,
    PoolState,
    QueueLoad,
    QueueTarget,
    Running,
    Worker,
    bucket,
    decide,
)

NOON = 1_800_014_400.0
"""Friday, 2027-01-15 12:00 UTC."""
QUEUE = "video"
JOB = "video.transcode"


def settings(*, target_wait: float = 30.0, **more) -> PoolSettings:
    return replace(PoolSettings({QUEUE: QueueTarget(target_wait)}, most=100), **more)


def workers(
    *, busy: int = 0, idle: int = 0, booting: int = 0, slots: int = 1, age: float = 1.0, **others: int
) -> tuple[Worker, ...]:
    """Return so many of each; `age` is of the jobs that run and of the pods that boot. `others` are other phases."""
    full = (Running(QUEUE, JOB, age),) * slots
    made: list[tuple[Phase, tuple[Running, ...]]] = [(Phase.READY, full)] * busy
    made += [(Phase.READY, ())] * idle + [(Phase.BOOTING, ())] * booting
    made += [(Phase(phase), ()) for phase, count in others.items() for _ in range(count)]
    return tuple(
        Worker(f"w{number}", phase, age, running, None if phase is Phase.BOOTING else 2.0)
        for number, (phase, running) in enumerate(made)
    )


def state(
    waiting: int = 0, *, oldest: float = 0.0, now: float = NOON, arrived: int = 0, crew=(), served=None, **more
) -> PoolState:
    load = QueueLoad(waiting, oldest, arrived, {}, served or {})
    return replace(PoolState(now, len(crew), {QUEUE: load}, tuple(crew)), **more)


def ended(**counts: int) -> dict[str, dict[int, int]]:
    """Return counters of ended jobs: `ended(s8=100)` are a hundred of 8 seconds."""
    return {JOB: {bucket(float(name[1:])): count for name, count in counts.items()}}


def knowing(served: dict[str, dict[int, int]], *, asked: PoolSettings | None = None) -> Memory:
    """Return the memory of an idle pool whose jobs have ended so."""
    return decide(state(served=served, now=NOON - 60), asked or settings(), Memory()).memory


def after(decision: Decision, before: PoolState, *, seconds: float, **changes) -> PoolState:
    """Return the state some seconds later, with the replicas decided upon."""
    return replace(before, now=before.now + seconds, replicas=decision.replicas, **changes)
