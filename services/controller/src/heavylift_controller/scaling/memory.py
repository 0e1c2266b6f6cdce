"""All that is carried from one decision to the next, as one value that can be stored: a new leader goes on with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import TypeAdapter

from heavylift_controller.scaling.arrivals import ArrivalMemory
from heavylift_controller.scaling.boot_times import BootMemory
from heavylift_controller.scaling.flapping import FlapMemory
from heavylift_controller.scaling.hold import HoldMemory
from heavylift_controller.scaling.service_times import ServiceMemory


@dataclass(frozen=True, slots=True)
class Memory:
    """What was learned of a pool."""

    service: Mapping[str, Mapping[str, ServiceMemory]] = field(default_factory=dict)
    """Queue -> job type -> service times."""
    arrivals: Mapping[str, ArrivalMemory] = field(default_factory=dict)
    boots: BootMemory = field(default_factory=BootMemory)
    hold: HoldMemory | None = None
    flaps: FlapMemory | None = None


_ADAPTER = TypeAdapter(Memory)


def dump(memory: Memory) -> bytes:
    """Return the memory as JSON."""
    return _ADAPTER.dump_json(memory)


def load(text: bytes) -> Memory:
    """Return the memory of a JSON text. Raises pydantic.ValidationError."""
    return _ADAPTER.validate_json(text)
