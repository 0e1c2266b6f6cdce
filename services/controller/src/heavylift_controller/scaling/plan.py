"""What the work asks for: the backlog within its deadlines, the average load, the free workers and the floor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import ceil

from heavylift_controller.scaling import hold, steady
from heavylift_controller.scaling.decision import Limiter, Terms
from heavylift_controller.scaling.demand import Crew, Deadline, needed
from heavylift_controller.scaling.learning import Estimates
from heavylift_controller.scaling.settings import PoolSettings, QueueTarget
from heavylift_controller.scaling.state import Phase, QueueLoad, Worker
from heavylift_controller.scaling.windows import least_at

LEAST_LEFT = 0.15
"""The share of its target that a job which has waited too long already is planned with: late, but no stampede."""
LEAST_SERVICE = 1e-3
"""Seconds; what takes less is planned with this."""
PROMPT = 0.9
"""The share of a target that a boot may take for a worker started on demand to come in time."""
FARTHER = 2.0
"""Jobs are looked at for this many times what is left, to tell those that end about then from those that do not."""
OVERDUE = 0.25
"""The share of a boot that a pod which should be ready by now is still expected to take."""


@dataclass(frozen=True)
class Scene:
    """All that a plan is made from."""

    now: float
    replicas: int
    queues: Mapping[str, QueueLoad]
    workers: tuple[Worker, ...]
    settings: PoolSettings
    estimates: Estimates

    @cached_property
    def waiting(self) -> int:
        """Jobs that wait."""
        return sum(load.waiting for load in self.queues.values())

    @cached_property
    def running(self) -> int:
        """Jobs that run."""
        return sum(len(worker.running) for worker in self.workers)

    @cached_property
    def free_slots(self) -> int:
        """Slots that could take a job now."""
        ready = [worker for worker in self.workers if worker.phase is Phase.READY]
        return sum(self.settings.slots - len(worker.running) for worker in ready)

    @cached_property
    def unknown(self) -> int:
        """Workers that do not report, and run no job as far as is known."""
        return sum(worker.stays and not worker.running for worker in self.workers)

    @cached_property
    def staying(self) -> int:
        """Workers that hold a job, or might."""
        return sum(worker.stays for worker in self.workers)


def terms_of(scene: Scene) -> tuple[Terms, Limiter]:
    """Return the workers each consideration asks for, and the one that asks for the most."""
    crew, settings = crew_of(scene), scene.settings
    backlog = needed(deadlines_of(scene), crew, scene.estimates.boot, most=settings.most) if scene.waiting else 0
    average = steady_of(scene)
    window = least_at(settings.windows, scene.now)
    asked = {
        Limiter.WORK: ceil(scene.running / settings.slots) + scene.unknown,
        Limiter.SLO: backlog,
        Limiter.STEADY: average,
        Limiter.IDLE: crew.kept + settings.idle if settings.idle else 0,
        Limiter.MIN: settings.least,
        Limiter.WINDOW: window,
    }
    limiter = max(asked, key=lambda name: asked[name])
    floor = max(settings.least, window)
    return Terms(backlog, average, asked[Limiter.WORK], asked[Limiter.IDLE], floor, asked[limiter]), limiter


def crew_of(scene: Scene) -> Crew:
    """Return what the workers can take on, and when. Nobody asks when slots get free while nothing waits."""
    idle, booting, slots = [], [], []
    for worker in scene.workers:
        if worker.stays:
            slots += _free_in(worker, scene) if scene.waiting else []
        elif worker.phase is Phase.BOOTING:
            booting.append(worker.age)
        elif worker.phase in (Phase.READY, Phase.DRAINING):
            idle.append(0.0)
    booting += [0.0] * (scene.replicas - len(scene.workers))
    takes = scene.estimates.boot.of(len(booting))
    ready_in = sorted(max(takes - age, takes * OVERDUE) for age in booting)
    unavailable = sum(worker.phase in (Phase.UNSCHEDULABLE, Phase.FAILING) for worker in scene.workers)
    return Crew(scene.staying, tuple(slots), (*idle, *ready_in), len(booting), unavailable, scene.settings.slots)


def _free_in(worker: Worker, scene: Scene) -> list[float]:
    if worker.phase is Phase.UNKNOWN:
        return []
    busy = [scene.estimates.of_type(job.queue, job.job_type).remaining(job.age) for job in worker.running]
    return busy + [0.0] * (scene.settings.slots - len(busy))


def deadlines_of(scene: Scene) -> list[Deadline]:
    """Return the deadlines in the workers' order: what comes first takes slots from what comes after."""
    deadlines, jobs, seconds = [], 0, 0.0
    for name, target in sorted(scene.settings.queues.items(), key=lambda item: -item[1].priority):
        load = scene.queues[name]
        if not load.waiting:
            continue
        service = scene.estimates.waiting_in(name, load)
        for count, age in scene.estimates.waited(name, load, scene.now):
            left = time_left(target, scene.settings, age)
            jobs += count
            seconds += count * max(service.within(FARTHER * left), LEAST_SERVICE)
            deadlines.append(Deadline(jobs, left, seconds / jobs))
    return deadlines


def time_left(target: QueueTarget, settings: PoolSettings, age: float) -> float:
    """Return the seconds in which what waits should begin."""
    return max(settings.budget * target.target_wait - age, LEAST_LEFT * target.target_wait)


def steady_of(scene: Scene) -> int:
    """Return the workers for the average load; more than there are jobs only where a boot would come too late."""
    estimates, settings = scene.estimates, scene.settings
    lengths = {name: estimates.waiting_in(name, scene.queues[name]).mean for name in settings.queues}
    rates = {name: estimates.per_second(name) for name in lengths}
    load = sum(rate * lengths[name] for name, rate in rates.items())
    if load <= 0:
        return 0
    target = min(settings.queues[name].target_wait for name in rates)
    if estimates.boot.of(1) <= PROMPT * target:
        return ceil(min(load, scene.waiting + scene.running) / settings.slots)
    per_second = sum(rates.values())
    if per_second * hold.CHOICES[-1] < 1:
        return 0  # the next job is far: ready workers are then what `idle`, `least` and windows are for
    slots = steady.slots_for(load, budget=target, seconds=load / per_second)
    return ceil(slots / settings.slots)
