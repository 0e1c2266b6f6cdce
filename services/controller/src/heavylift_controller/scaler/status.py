"""What people and programs are told about a pool, and how it is written down in Redis: JSON, one field a pool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields

import orjson
from pydantic import TypeAdapter

LAST = 10
"""Decisions kept that changed something."""


@dataclass(frozen=True, slots=True)
class Change:
    """A number that was set, and why."""

    at: float
    """Seconds since the epoch."""
    before: int
    after: int
    reason: str


@dataclass(frozen=True, slots=True)
class PoolStatus:
    """A pool as of its last decision. Times are seconds since the epoch; None is not known."""

    pool: str
    queues: tuple[str, ...]
    waiting: int | None
    running: int | None
    oldest_age_seconds: float | None
    current: int
    """How many workers are asked for at present."""
    desired: int
    """How many are wanted."""
    ready: int
    """How many take jobs."""
    draining: tuple[str, ...]
    """Workers that take no more jobs, since they are to go."""
    limiter: str
    """What makes the number what it is, as in `slo` or `frozen: redis`."""
    reason: str
    """The decision as a sentence."""
    held_by: str = ""
    """Who has set the number by hand; empty: nobody."""
    hold_until: float | None = None
    """None: until released, if it is held."""
    paused: bool = False
    shadow: bool = False
    """Decided and told, not acted upon."""
    frozen: bool = False
    """Nothing is changed, since something could not be read."""
    decided_at: float = 0.0
    target: str = ""
    """What is scaled: the Deployment's name."""
    inputs: Mapping[str, float | int | None] = field(default_factory=dict)
    terms: Mapping[str, int] = field(default_factory=dict)
    last: tuple[Change, ...] = ()
    """The newest changes, the newest first."""
    going: tuple[str, ...] = ()
    """The workers meant to go by a scale-in that is under way: written before it, so that a new leader can check."""
    note: str = ""
    """Why what is decided is not done, in words: another autoscaler, a scale-in that waits for a rollout."""


_ADAPTER = TypeAdapter(PoolStatus)
_FIELDS = tuple(each.name for each in fields(PoolStatus))


def as_json(status: PoolStatus) -> dict[str, object]:
    """Return the status as it is written: a change's numbers are called `from` and `to`."""
    written: dict[str, object] = {name: getattr(status, name) for name in _FIELDS}
    written["last"] = [
        {"at": each.at, "from": each.before, "to": each.after, "reason": each.reason} for each in status.last
    ]
    return written


def dump(status: PoolStatus) -> bytes:
    """Return the status as JSON."""
    return orjson.dumps(as_json(status))


def load(text: bytes) -> PoolStatus:
    """Return the status of a JSON text. Raises ValueError."""
    return of_json(orjson.loads(text))


def of_json(written: Mapping[str, object]) -> PoolStatus:
    """Return the status that `as_json` has written. Raises ValueError."""
    last = written.get("last") if isinstance(written, Mapping) else None
    if isinstance(last, Sequence):
        changes = [{"before": each["from"], "after": each["to"], **each} for each in last]
        written = {**written, "last": changes}
    return _ADAPTER.validate_python(written)
