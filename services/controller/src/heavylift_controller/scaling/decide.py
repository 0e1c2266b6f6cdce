"""How many workers a pool should have: a pure function of what is seen, what is set and what was learned.

The invariants, each held by a property test: more waiting jobs never mean fewer workers; the number stays within its
bounds; nothing shrinks while anything could not be read; a worker that holds a job, or might, is never given up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import ceil, isinf

from heavylift_controller.scaling import hold, limits, steady
from heavylift_controller.scaling.decision import Decision, Inputs, Limiter, Terms
from heavylift_controller.scaling.demand import Crew, Deadline, needed
from heavylift_controller.scaling.learning import Estimates, learn
from heavylift_controller.scaling.memory import Memory
from heavylift_controller.scaling.settings import PoolSettings, QueueTarget
from heavylift_controller.scaling.state import Phase, PoolState, QueueLoad, Worker
from heavylift_controller.scaling.windows import least_at

LEAST_LEFT = 0.15
"""The share of its target that a job which has waited too long already is planned with: late, but no stampede."""
LEAST_SERVICE = 1e-3
STOP_SECONDS = 3.0
"""What it takes to drain an idle worker and to end its pod; with the boot, the price of letting it go too early."""


NO_TERMS, NO_INPUTS = Terms(), Inputs()


def decide(state: PoolState, settings: PoolSettings, memory: Memory) -> Decision:
    """Return the decision; its memory is to be passed to the next."""
    memory = learn(memory, state)
    if settings.hold_at is not None:
        return _decision(state, settings.hold_at, Limiter.HELD, memory)
    if settings.paused:
        return _decision(state, state.replicas, Limiter.PAUSED, memory)
    if state.queues is None or state.workers is None:
        return _decision(state, state.replicas, Limiter.FROZEN, memory, cause=state.unread or "missing data")
    estimates = Estimates(memory, settings, state.workers)
    terms, limiter = _terms(state, settings, estimates, state.queues, state.workers)
    held = hold.learn(memory.hold, terms.wanted, state.now, restart=estimates.boot.alone + STOP_SECONDS)
    choice = hold.chosen(held)
    terms = replace(terms, kept=held.kept[choice])
    desired, limiter = _within(state, settings, terms, limiter)
    return _decision(
        state,
        desired,
        limiter,
        replace(memory, hold=held),
        terms=terms,
        inputs=_inputs(state.queues, state.workers, estimates, hold.CHOICES[choice]),
    )


def crew_of(
    state: PoolState, settings: PoolSettings, estimates: Estimates, workers: tuple[Worker, ...], waiting: bool
) -> Crew:
    """Return what the workers can take on, and when."""
    spare, booting, kept, slots = [], [], 0, []
    for worker in workers:
        if worker.running or worker.phase is Phase.UNKNOWN:
            kept += 1
            if waiting:
                slots += _free_in(worker, settings, estimates)
        elif worker.phase is Phase.BOOTING:
            booting.append(worker.age)
        elif worker.phase in (Phase.READY, Phase.DRAINING):
            spare.append(0.0)
    booting += [0.0] * (state.replicas - len(workers))
    takes = estimates.boot.of(len(booting))
    spare += sorted(max(takes - age, takes / 4) for age in booting)
    return Crew(kept, tuple(slots), tuple(spare), len(booting), settings.slots)


def _free_in(worker: Worker, settings: PoolSettings, estimates: Estimates) -> list[float]:
    if worker.phase is Phase.UNKNOWN:
        return []
    busy = [estimates.of_type(job.queue, job.job_type).remaining(job.age) for job in worker.running]
    return busy + [0.0] * (settings.slots - len(busy))


def _terms(
    state: PoolState,
    settings: PoolSettings,
    estimates: Estimates,
    queues: Mapping[str, QueueLoad],
    workers: tuple[Worker, ...],
) -> tuple[Terms, Limiter]:
    deadlines = _deadlines(settings, estimates, queues, state.now)
    crew = crew_of(state, settings, estimates, workers, bool(deadlines))
    backlog = needed(deadlines, crew, estimates.boot, most=settings.most)
    window = least_at(settings.windows, state.now)
    spare = crew.kept + settings.idle
    average = _steady(settings, estimates, queues, workers)
    floor = max(settings.least, window)
    wanted = min(max(backlog, average, spare, floor), settings.most)
    causes = [
        (crew.kept, Limiter.WORK),
        (backlog, Limiter.SLO),
        (average, Limiter.STEADY),
        (spare, Limiter.IDLE),
        (settings.least, Limiter.MIN),
        (window, Limiter.WINDOW),
    ]
    limiter = max(causes, key=lambda cause: cause[0])[1]
    return Terms(
        backlog,
        average,
        spare,
        floor,
        wanted,
        ceiling=limits.ceiling(state, settings, workers)[0],
        waiting=bool(deadlines),
    ), limiter


def _deadlines(
    settings: PoolSettings, estimates: Estimates, queues: Mapping[str, QueueLoad], now: float
) -> list[Deadline]:
    """Return the deadlines in the workers' order: what comes first takes slots from what comes after."""
    deadlines, jobs, seconds = [], 0, 0.0
    for name, target in sorted(settings.queues.items(), key=lambda item: -item[1].priority):
        load = queues.get(name)
        if load is None or not load.waiting:
            continue
        service = estimates.waiting_in(name, load)
        for count, age in estimates.waited(name, load, now):
            left = time_left(target, settings, age)
            jobs += count
            seconds += count * max(service.within(left), LEAST_SERVICE)
            deadlines.append(Deadline(jobs, left, seconds / jobs))
    return deadlines


def time_left(target: QueueTarget, settings: PoolSettings, age: float) -> float:
    """Return the seconds in which what waits should begin."""
    return max(settings.budget * target.target_wait - age, LEAST_LEFT * target.target_wait)


def _steady(
    settings: PoolSettings, estimates: Estimates, queues: Mapping[str, QueueLoad], workers: tuple[Worker, ...]
) -> int:
    work = {name: estimates.waiting_in(name, load).mean for name, load in queues.items()}
    loads = {name: estimates.per_second(name) * mean for name, mean in work.items() if not isinf(mean)}
    total = sum(loads.values())
    if total <= 0:
        return 0
    budget = min(settings.queues[name].target_wait for name in loads)
    jobs = sum(load.waiting for load in queues.values()) + sum(len(worker.running) for worker in workers)
    if estimates.boot.of(1) <= settings.budget * budget:
        return ceil(min(total, jobs) / settings.slots)
    rate = sum(estimates.per_second(name) for name in loads)
    return ceil(steady.slots_for(total, budget=budget, seconds=total / rate) / settings.slots)


def _within(state: PoolState, settings: PoolSettings, terms: Terms, limiter: Limiter) -> tuple[int, Limiter]:
    """Return the number within its bounds and what set it."""
    kept = state.replicas if terms.waiting else min(state.replicas, terms.kept)
    kept = min(kept, settings.most)
    desired = (kept, Limiter.HOLD) if kept > terms.wanted else (terms.wanted, limiter)
    ceiling = limits.ceiling(state, settings, state.workers or ())
    if max(desired[0], terms.backlog) > ceiling[0]:
        desired = ceiling
    return limits.steered(desired, state, settings)


def _inputs(
    queues: Mapping[str, QueueLoad], workers: tuple[Worker, ...], estimates: Estimates, hold_seconds: float
) -> Inputs:
    return Inputs(
        waiting=sum(load.waiting for load in queues.values()),
        running=sum(len(worker.running) for worker in workers),
        hold_seconds=hold_seconds,
        boot_seconds=estimates.boot.alone,
    )


def _decision(
    state: PoolState,
    desired: int,
    limiter: Limiter,
    memory: Memory,
    *,
    cause: str = "",
    terms: Terms = NO_TERMS,
    inputs: Inputs = NO_INPUTS,
) -> Decision:
    workers = state.workers
    stay = state.replicas if workers is None else sum(bool(w.running) or w.phase is Phase.UNKNOWN for w in workers)
    removable = max(0, state.replicas - stay)
    replicas = desired if desired >= state.replicas else max(desired, state.replicas - removable)
    if replicas > desired:
        limiter = limiter if limiter is Limiter.HELD else Limiter.BUSY
    return Decision(state.replicas, desired, replicas, removable, limiter, cause, inputs, terms, memory)
