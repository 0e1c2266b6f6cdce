"""What people say about a pool, made one: the installation's settings, its WorkerPool, orders over HTTP, and a number
that somebody has set on the Deployment beside us.

Where they disagree about a number, an order goes before the WorkerPool, and that before the Deployment; only a number
that was set on the Deployment after the order goes before the order. A hold that is over is as if it never was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import TypeAdapter, ValidationError

from heavylift.model import PoolAction
from heavylift_controller.scaler.platform import Overrides, Sight
from heavylift_controller.scaler.pools import Pool
from heavylift_controller.scaling import PoolSettings, QueueTarget

AUTOSCALERS = ("kube-controller-manager", "keda")
"""What the names of those begin with that set numbers and are no persons."""


@dataclass(frozen=True, slots=True)
class Order:
    """A person's order, as the API wrote it. Times are seconds since the epoch by Redis's clock."""

    action: PoolAction
    at: float
    by: str = ""
    replicas: int | None = None
    until: float | None = None


_ORDER = TypeAdapter(Order)


def parse_order(text: bytes) -> Order | None:
    """Return the order; None if it cannot be read."""
    try:
        order = _ORDER.validate_json(text)
    except ValidationError:
        return None
    return None if order.action is PoolAction.HOLD and (order.replicas is None or order.replicas < 0) else order


def parse_orders(texts: Mapping[str, bytes]) -> dict[str, Order]:
    """Return those that can be read, by matter."""
    orders = ((matter, parse_order(text)) for matter, text in texts.items())
    return {matter: order for matter, order in orders if order is not None}


MATTERS = {
    "hold": ("hold", "released_at", "to_release"),
    "pause": ("pause",),
    "freeze-in": ("freeze_in",),
    "freeze-out": ("freeze_out",),
}
"""Matter -> what an order about it may change. One order may be about several."""


@dataclass(frozen=True, slots=True)
class Orders:
    """What the orders so far amount to, kept by who leads: Redis keeps the newest about each matter alone.

    The newest is the one that was written last, whatever the time it bears: clocks are set back, and several write.
    """

    seen: Mapping[str, Order] = field(default_factory=dict)
    """Matter -> the last order about it that was met."""
    newest: float = 0.0
    """In what an older version has kept: when the newest was given that it met, of whatever matter."""
    hold: Order | None = None
    pause: Order | None = None
    freeze_in: Order | None = None
    freeze_out: Order | None = None
    released_at: float = 0.0
    to_release: bool = False
    """The WorkerPool's own hold has yet to be taken back."""

    def with_orders(self, orders: Mapping[str, Order]) -> Orders:
        """Return what they amount to with these, by matter; one that is known already changes nothing."""
        new = {matter: order for matter, order in orders.items() if self.seen.get(matter) != order}
        found = self
        for matter, order in new.items():
            if order.at > self.newest:
                found = replace(found, **found._changes(matter, order))
        return replace(found, seen={**self.seen, **new}, newest=0.0) if new else self

    def _changes(self, matter: str, order: Order) -> Mapping[str, Any]:
        """Return what an order changes of a matter."""
        changes: Mapping[PoolAction, dict[str, Any]] = {
            PoolAction.HOLD: {"hold": order, "to_release": False},
            PoolAction.RELEASE: {"hold": None, "released_at": order.at, "to_release": True},
            PoolAction.PAUSE: {"pause": order},
            PoolAction.RESUME: {"pause": None},
            PoolAction.FREEZE_IN: {"freeze_in": order},
            PoolAction.FREEZE_OUT: {"freeze_out": order},
            PoolAction.THAW: {"freeze_in": None, "freeze_out": None},
        }
        return {name: value for name, value in changes[order.action].items() if name in MATTERS.get(matter, ())}


@dataclass(frozen=True, slots=True)
class Stranger:
    """A number that somebody has set on what we scale, and since when."""

    by: str
    replicas: int
    since: float


def stranger_of(before: Stranger | None, sight: Sight, now: float) -> Stranger | None:
    """Return who has set the number, if that was no autoscaler. Where it is not noted when, it is from now on."""
    if not sight.scaled_by or sight.scaled_by.startswith(AUTOSCALERS):
        return None
    known = before is not None and (before.by, before.replicas) == (sight.scaled_by, sight.replicas)
    since = sight.scaled_at or (before.since if before is not None and known else now)
    return Stranger(sight.scaled_by, sight.replicas, since)


@dataclass(frozen=True, slots=True)
class Steering:
    """What the policy is to keep to."""

    settings: PoolSettings
    held_by: str = ""
    hold_until: float | None = None


def steered(pool: Pool, overrides: Overrides, orders: Orders, stranger: Stranger | None, now: float) -> Steering:
    """Return what everybody's word amounts to at a time."""
    hold = _hold(overrides, orders, stranger, now, manual=pool.manual_hold_seconds)
    settings = pool.settings
    settings = replace(
        settings,
        queues=_queues(settings.queues, overrides.target_wait) if overrides.target_wait else settings.queues,
        least=_first(overrides.least, settings.least),
        most=_first(overrides.most, settings.most),
        idle=_first(overrides.idle, settings.idle),
        paused=_said(orders.pause, overrides.paused, now, settings.paused),
        freeze_in=_said(orders.freeze_in, overrides.freeze_in, now, settings.freeze_in),
        freeze_out=_said(orders.freeze_out, overrides.freeze_out, now, settings.freeze_out),
        hold_at=hold.replicas if hold else None,
    )
    return Steering(settings, hold.by if hold else "", hold.until if hold else None)


def _hold(
    overrides: Overrides, orders: Orders, stranger: Stranger | None, now: float, *, manual: float
) -> Order | None:
    """Return the hold that stands, as an order."""
    ordered = orders.hold if _stands(orders.hold, now) else None
    found = None
    if stranger is not None and stranger.since > orders.released_at:
        found = Order(PoolAction.HOLD, stranger.since, stranger.by, stranger.replicas, stranger.since + manual)
    own = found if _stands(found, now) else None
    if ordered and (own is None or ordered.at >= own.at):
        return ordered
    if overrides.hold_at is not None and not orders.to_release:
        by = overrides.held_by or "its WorkerPool"
        spec = Order(PoolAction.HOLD, 0.0, by, overrides.hold_at, overrides.hold_until)
        if _stands(spec, now):
            return spec
    return own or ordered


def _stands(order: Order | None, now: float) -> bool:
    return order is not None and (order.until is None or now < order.until)


def _said(order: Order | None, override: bool | None, now: float, otherwise: bool) -> bool:
    return _stands(order, now) or (otherwise if override is None else override)


def _first(override: int | None, otherwise: int) -> int:
    return otherwise if override is None else override


def _queues(queues: Mapping[str, QueueTarget], target_wait: Mapping[str, float]) -> Mapping[str, QueueTarget]:
    return {
        name: replace(target, target_wait=target_wait[name]) if name in target_wait else target
        for name, target in queues.items()
    }
