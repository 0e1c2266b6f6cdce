"""Bounds on what is wanted, each with the word that stands for it."""

from __future__ import annotations

from heavylift_controller.scaling.decision import Limiter
from heavylift_controller.scaling.settings import PoolSettings
from heavylift_controller.scaling.state import Phase, PoolState, Worker

Bound = tuple[int, Limiter]
"""A number and what set it."""


def ceiling(state: PoolState, settings: PoolSettings, workers: tuple[Worker, ...]) -> Bound:
    """Return the most workers that may be asked for: what cannot start now is not asked for again and again."""
    bounds = [(settings.most, Limiter.MAX)]
    if state.quota_room is not None:
        bounds.append((state.replicas + state.quota_room, Limiter.QUOTA))
    if any(worker.phase is Phase.UNSCHEDULABLE for worker in workers):
        bounds.append((state.replicas, Limiter.UNSCHEDULABLE))
    if _mostly_failing(workers):
        bounds.append((state.replicas, Limiter.FAILING))
    return min(bounds, key=lambda bound: bound[0])


def _mostly_failing(workers: tuple[Worker, ...]) -> bool:
    """Return whether at least half of what starts does not come up: more of it would not help."""
    failing = sum(worker.phase is Phase.FAILING for worker in workers)
    booting = sum(worker.phase is Phase.BOOTING for worker in workers)
    return failing > 0 and failing >= booting


def steered(desired: Bound, state: PoolState, settings: PoolSettings) -> Bound:
    """Return what a person's word makes of it."""
    number, _ = desired
    if settings.freeze_in and number < state.replicas:
        return state.replicas, Limiter.FREEZE_IN
    if settings.freeze_out and number > state.replicas:
        return state.replicas, Limiter.FREEZE_OUT
    if state.rollout and number < state.replicas:
        return state.replicas, Limiter.ROLLOUT
    return desired
