"""Bounds on what is wanted, each with the word that stands for it."""

from __future__ import annotations

from heavylift_controller.scaling.decision import Limiter
from heavylift_controller.scaling.settings import PoolSettings
from heavylift_controller.scaling.state import Phase, PoolState, Worker

Bound = tuple[int, Limiter]
"""A number and what set it."""
TRIED = 4
"""How many more may fail than are up before nothing more is tried: the first few may all be on the same bad node."""


def ceiling(state: PoolState, settings: PoolSettings, workers: tuple[Worker, ...]) -> Bound:
    """Return the most workers that may be asked for: what cannot start now is not asked for again and again."""
    bounds = [(settings.most, Limiter.MAX)]
    if state.quota_room is not None:
        bounds.append((state.replicas + state.quota_room, Limiter.QUOTA))
    if any(worker.phase is Phase.UNSCHEDULABLE for worker in workers):
        bounds.append((state.replicas, Limiter.UNSCHEDULABLE))
    if (tried := _tried(workers)) is not None:
        bounds.append((max(state.replicas, tried), Limiter.FAILING))
    return min(bounds, key=lambda bound: bound[0])


def _tried(workers: tuple[Worker, ...]) -> int | None:
    """Return how many there may be where more fail than come up; None where that is not so.

    A few are tried, since those that fail may have met what others would not, such as a bad node, for good.
    No more at a time than fail: what is tried must not itself look like pods that come up, and let everything grow.
    """
    failing = sum(worker.phase is Phase.FAILING for worker in workers)
    booting = sum(worker.phase is Phase.BOOTING for worker in workers)
    up = sum(worker.phase in (Phase.READY, Phase.DRAINING) for worker in workers)
    if not failing or failing < max(booting, up):
        return None
    return up + failing + min(failing, up + TRIED - failing)


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
