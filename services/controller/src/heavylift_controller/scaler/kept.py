"""All that a leader hands on to the next about a pool: what the policy learned, and what it has to remember itself."""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import TypeAdapter

from heavylift_controller.scaler.drain import Going
from heavylift_controller.scaler.status import Change
from heavylift_controller.scaler.steering import Orders, Stranger
from heavylift_controller.scaling import Memory


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a pool."""

    memory: Memory = field(default_factory=Memory)
    orders: Orders = field(default_factory=Orders)
    stranger: Stranger | None = None
    last: tuple[Change, ...] = ()
    """The newest changes of the number, the newest first."""
    going: Going | None = None
    """A scale-in that was about to be made, or was made and has yet to be looked after."""


_ADAPTER = TypeAdapter(Kept)


def dump(kept: Kept) -> bytes:
    """Return it as JSON."""
    return _ADAPTER.dump_json(kept)


def load(text: bytes) -> Kept:
    """Return what a JSON text holds. Raises pydantic.ValidationError."""
    return _ADAPTER.validate_json(text)
