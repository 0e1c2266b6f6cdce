"""The pools of workers as the controller that leads has published them, and people's orders to it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Self

import orjson
import structlog
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from heavylift.model import PoolAction
from heavylift.operations import read_clock, read_pools, steer
from heavylift_api.errors import FieldError, InvalidRequest, UnknownPool
from heavylift_api.handlers import field_errors
from heavylift_api.store import BoundedStore
from heavylift_api.views import PoolSummary, PoolView

NAME = r"^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$"

STALE = 5.0
"""Seconds after which what was decided is no longer shown as current: a controller decides every one or two."""

MAX_REPLICAS = 10_000
"""More than any pool has: a slip of the keyboard."""

MAX_HOLD = 366 * 24 * 3600.0

log = structlog.get_logger()


MATTERS = {
    PoolAction.HOLD: ("hold",),
    PoolAction.RELEASE: ("hold",),
    PoolAction.PAUSE: ("pause",),
    PoolAction.RESUME: ("pause",),
    PoolAction.FREEZE_IN: ("freeze-in",),
    PoolAction.FREEZE_OUT: ("freeze-out",),
    PoolAction.THAW: ("freeze-in", "freeze-out"),
}
"""What an order is about. It replaces those about the same, and stands beside the others until a controller looks."""


class HoldRequest(BaseModel):
    """A number of workers that stands whatever the queues say."""

    model_config = ConfigDict(extra="forbid")

    replicas: int = Field(ge=0, le=MAX_REPLICAS, examples=[5])
    until: AwareDatetime | None = None
    """When the hold ends by itself; without it and `for`, when it is released."""
    seconds: float | None = Field(default=None, alias="for", gt=0, le=MAX_HOLD, examples=[7200])
    """Seconds after which the hold ends by itself."""

    @model_validator(mode="after")
    def _one_end(self) -> Self:
        if self.until is not None and self.seconds is not None:
            raise PydanticCustomError("two_ends", "Give `until` or `for`, not both.")
        return self

    def ends_at(self, now: float) -> float | None:
        """Return when the hold ends, in seconds since the epoch. Raises InvalidRequest for a moment that is over."""
        if self.seconds is not None:
            return now + self.seconds
        if self.until is None:
            return None
        end = self.until.timestamp()
        if not now < end <= now + MAX_HOLD:
            detail = "This moment is over." if end <= now else "A hold ends within a year."
            raise InvalidRequest(errors=[FieldError(pointer="/until", detail=detail)])
        return end


class Pools:
    """All pools that a controller has decided about."""

    def __init__(self, store: BoundedStore) -> None:
        self._store = store

    async def all(self) -> list[PoolSummary]:
        """Return all pools by name. Raises StoreUnavailable."""
        _, pools = await self._read()
        return [PoolSummary(**pool.model_dump()) for pool in pools.values()]

    async def get(self, name: str) -> PoolView:
        """Return a pool with the record of its last decision. Raises UnknownPool or StoreUnavailable."""
        _, pools = await self._read()
        return _named(name, pools)

    async def hold(self, name: str, document: JsonValue, *, by: str) -> PoolView:
        """Order a number to stand. Raises InvalidRequest, UnknownPool or StoreUnavailable."""
        request = _parse(document)
        now, pools = await self._read()
        pool = _named(name, pools)
        await self._steer(name, PoolAction.HOLD, by, now, replicas=request.replicas, until=request.ends_at(now))
        return pool

    async def order(self, name: str, action: PoolAction, *, by: str) -> PoolView:
        """Leave an order for the controller that leads. Raises UnknownPool or StoreUnavailable."""
        now, pools = await self._read()
        pool = _named(name, pools)
        await self._steer(name, action, by, now)
        return pool

    async def _steer(self, name: str, action: PoolAction, by: str, at: float, **more: float | None) -> None:
        order = {"action": action, **more, "by": by, "at": at}
        call = steer(self._store.keys, name, orjson.dumps(order), matters=MATTERS[action])
        await self._store.run(call)
        log.info("pool_ordered", pool=name, **order)

    async def _read(self) -> tuple[float, dict[str, PoolView]]:
        """Return Redis's time, in seconds since the epoch, and the pools by name."""
        now, texts = await asyncio.gather(self._store.run(read_clock()), self._store.run(read_pools(self._store.keys)))
        views = ((name, _view(name, texts[name], now)) for name in sorted(texts))
        return now, {name: view for name, view in views if view is not None}


def _parse(document: JsonValue) -> HoldRequest:
    try:
        return HoldRequest.model_validate(document)
    except ValidationError as error:
        raise InvalidRequest(errors=field_errors(error.errors(include_url=False, include_input=False))) from error


def _named(name: str, pools: Mapping[str, PoolView]) -> PoolView:
    if name in pools:
        return pools[name]
    if not pools:
        raise UnknownPool("No controller has decided about a pool yet: scaling is off, or has not begun.")
    raise UnknownPool(f"There is no pool {name!r}. There are: {', '.join(pools)}.", known_pools=[*pools])


def _view(name: str, text: bytes, now: float) -> PoolView | None:
    """Return a pool's view; None for what a controller of another version wrote that cannot be read."""
    try:
        status: dict[str, Any] = orjson.loads(text)
        age = max(0.0, now - status["decided_at"])
        moments = {"decided_at": status["decided_at"], "hold_until": status.get("hold_until")}
        last = [{**each, "at": _moment(each["at"])} for each in status.get("last", ())]
        return PoolView.model_validate(
            {
                **status,
                **{field: _moment(at) for field, at in moments.items()},
                "last": last,
                "age_seconds": age,
                "stale": age > STALE,
            }
        )
    except (ValueError, KeyError, TypeError) as error:
        log.warning("pool_status_unreadable", pool=name, reason=str(error))
        return None


def _moment(seconds: float | None) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds is not None else None
