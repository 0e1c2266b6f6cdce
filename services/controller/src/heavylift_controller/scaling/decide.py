"""How many workers a pool should have: a pure function of what is seen, what is set and what was learned.

The invariants, each held by a property test: more waiting jobs never mean fewer workers; the number stays within its
bounds; nothing shrinks while anything could not be read; a worker that holds a job, or might, is never given up.
"""

from __future__ import annotations

from dataclasses import replace

from heavylift_controller.scaling import flapping, hold, limits
from heavylift_controller.scaling.decision import Decision, Inputs, Limiter, Terms
from heavylift_controller.scaling.learning import Estimates, learn
from heavylift_controller.scaling.memory import Memory
from heavylift_controller.scaling.plan import Scene, terms_of
from heavylift_controller.scaling.settings import PoolSettings
from heavylift_controller.scaling.state import Phase, PoolState

TURNOVER_SECONDS = 6.0
"""What letting a worker go and starting another costs beside the boot, in seconds of a worker: the drain, the pod's
end and the two changes themselves. In the simulator 3 means 2 % fewer pod-seconds for half as many changes again."""


def decide(state: PoolState, settings: PoolSettings, memory: Memory) -> Decision:
    """Return the decision; its memory is to be passed to the next."""
    memory = learn(memory, state)
    if settings.hold_at is not None:
        return _decision(state, settings.hold_at, Limiter.HELD, memory)
    if settings.paused:
        return _decision(state, state.replicas, Limiter.PAUSED, memory)
    if unread := state.unread_of(settings.queues):
        return _decision(state, state.replicas, Limiter.FROZEN, memory, cause=unread)
    assert state.queues is not None
    assert state.workers is not None
    estimates = Estimates(memory, settings, state.workers)
    queues = {name: state.queues[name] for name in settings.queues}
    scene = Scene(state.now, state.replicas, queues, state.workers, settings, estimates)
    return _planned(scene, state, memory)


def _planned(scene: Scene, state: PoolState, memory: Memory) -> Decision:
    terms, limiter = terms_of(scene)
    restart = scene.estimates.boot.alone + TURNOVER_SECONDS
    held = hold.learn(memory.hold, min(terms.wanted, scene.settings.most), scene.now, restart=restart)
    flaps = flapping.learn(memory.flaps, scene.replicas, scene.now)
    choice = hold.chosen(held)
    guarded = min(choice + flaps.steps, len(hold.CHOICES) - 1)
    ceiling = limits.ceiling(state, scene.settings, scene.workers)
    terms = replace(terms, kept=held.kept[guarded], ceiling=ceiling[0])
    desired = terms.wanted, limiter
    if scene.replicas > terms.wanted:
        desired = _kept(scene, terms, held.kept[choice], limiter)
    if desired[0] > ceiling[0]:
        desired = ceiling
    desired = limits.steered(desired, state, scene.settings)
    memory = replace(memory, hold=held, flaps=flaps)
    inputs = inputs_of(scene, hold.CHOICES[guarded])
    return _decision(state, *desired, memory, terms=terms, inputs=inputs)


def _kept(scene: Scene, terms: Terms, unguarded: int, limiter: Limiter) -> limits.Bound:
    """Return what is kept of more workers than are wanted.

    All while jobs wait for a slot, as what boots is on its way to them; not for jobs that nobody takes into a free one.
    """
    if scene.waiting > scene.free_slots:
        return scene.replicas, Limiter.WAITING
    kept = min(scene.replicas, terms.kept)
    if kept > terms.wanted:
        return kept, Limiter.HOLD if kept <= unguarded else Limiter.FLAP
    return terms.wanted, limiter


def inputs_of(scene: Scene, hold_seconds: float) -> Inputs:
    """Return what was seen and learned, summed up over the queues."""
    lengths = {name: scene.estimates.waiting_in(name, load) for name, load in scene.queues.items()}
    shares = {name: load.waiting or scene.estimates.per_second(name) for name, load in scene.queues.items()}
    total = sum(shares.values())
    phases = [worker.phase for worker in scene.workers]
    idle = [not worker.stays and worker.phase in (Phase.READY, Phase.DRAINING) for worker in scene.workers]
    return Inputs(
        waiting=scene.waiting,
        running=scene.running,
        oldest_age=max((load.oldest_age for load in scene.queues.values() if load.waiting), default=0.0),
        arrivals_per_second=sum(scene.estimates.per_second(name) for name in scene.queues),
        service_seconds=sum(lengths[name].mean * share for name, share in shares.items()) / total if total else None,
        boot_seconds=scene.estimates.boot.of(1 + phases.count(Phase.BOOTING)),
        hold_seconds=hold_seconds,
        busy=sum(bool(worker.running) for worker in scene.workers),
        idle=sum(idle),
        booting=phases.count(Phase.BOOTING),
        unknown=scene.unknown,
        unavailable=phases.count(Phase.UNSCHEDULABLE) + phases.count(Phase.FAILING),
    )


def _decision(
    state: PoolState,
    desired: int,
    limiter: Limiter,
    memory: Memory,
    *,
    cause: str = "",
    terms: Terms | None = None,
    inputs: Inputs | None = None,
) -> Decision:
    staying = state.replicas if state.workers is None else sum(worker.stays for worker in state.workers)
    removable = max(0, state.replicas - staying)
    replicas = max(desired, min(staying, state.replicas))
    if replicas > desired and limiter is not Limiter.HELD:
        limiter = Limiter.BUSY
    return Decision(
        current=state.replicas,
        desired=desired,
        replicas=replicas,
        removable=removable,
        limiter=limiter,
        cause=cause,
        inputs=inputs or Inputs(),
        terms=terms or Terms(),
        memory=memory,
    )
