"""Workers as processes of this machine: how the controller, which decides, and the development stack, which starts and
ends processes, agree.

An order says how many workers a pool is to have, and which are the first to go. The controller that leads writes it,
against the order it has read; the stack follows it, and reports what runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from pydantic import TypeAdapter

from heavylift.constants import Keys
from heavylift.operations.replies import to_int, to_mapping
from heavylift.scripts import script
from heavylift.store import Call


@dataclass(frozen=True, slots=True)
class LocalOrder:
    """What a pool is to be."""

    replicas: int
    first: tuple[str, ...] = ()
    """Workers that take no more jobs and hold none: only they are ended when there are too many."""


@dataclass(frozen=True, slots=True)
class LocalProcess:
    """A worker's process. Times are seconds since the epoch by this machine's clock."""

    name: str
    created_at: float
    started_at: float
    """When it was last started: again, after it ended by itself."""
    up: bool
    """False while it waits to be started again."""
    restarts: int = 0
    leaving: bool = False
    """It was told to end."""


@dataclass(frozen=True, slots=True)
class LocalReport:
    """What runs of a pool."""

    at: float
    """When it was so, in seconds since the epoch by this machine's clock."""
    order: LocalOrder
    """The order that was acted upon."""
    processes: tuple[LocalProcess, ...]


class Lead(IntEnum):
    """Who leads after an attempt to."""

    OTHER = 0
    KEPT = 1
    TAKEN = 2


class Written(IntEnum):
    """What became of an order."""

    OTHER_LEADS = -1
    CHANGED = 0
    """It is not the one that was read."""
    DONE = 1


_ORDER = TypeAdapter(LocalOrder)
_REPORT = TypeAdapter(LocalReport)


def lead(keys: Keys, who: str, *, seconds: float) -> Call[Lead]:
    """Take or keep the lead over this machine's workers for so long."""
    return Call.of(script("local_lead"), [keys.local], [who, round(seconds * 1000)], lambda reply: Lead(to_int(reply)))


def end_lead(keys: Keys, who: str) -> Call[None]:
    """Give up the lead, if `who` has it."""
    return Call.of(script("local_lead"), [keys.local], [who, 0], lambda _: None)


def write_order(keys: Keys, who: str, pool: str, *, read: LocalOrder, order: LocalOrder) -> Call[Written]:
    """Set a pool's order, if `who` leads and the order is still the one that was read."""
    args = [who, pool, _ORDER.dump_json(read), _ORDER.dump_json(order)]
    return Call.of(script("local_order"), [keys.local], args, lambda reply: Written(to_int(reply)))


def reset_order(keys: Keys, pool: str, order: LocalOrder) -> Call[None]:
    """Set a pool's order whatever it was: a stack that starts has other workers than the one before."""
    return Call((("HSET", f"{keys.local}orders", pool, _ORDER.dump_json(order)),), lambda _: None)


def read_orders(keys: Keys) -> Call[Mapping[str, LocalOrder]]:
    """Return the orders by pool."""
    return Call(
        (("HGETALL", f"{keys.local}orders"),),
        lambda replies: {pool: _ORDER.validate_json(text) for pool, text in to_mapping(replies[0]).items()},
    )


def await_order(keys: Keys, *, seconds: int) -> Call[None]:
    """Wait until an order is set, no longer than `seconds`."""
    return Call((("BLPOP", f"{keys.local}call", seconds),), lambda _: None)


def report_processes(keys: Keys, pool: str, report: LocalReport) -> Call[None]:
    """Say what runs of a pool."""
    return Call((("HSET", f"{keys.local}reports", pool, _REPORT.dump_json(report)),), lambda _: None)


def read_processes(keys: Keys) -> Call[Mapping[str, LocalReport]]:
    """Return what runs, by pool."""
    return Call(
        (("HGETALL", f"{keys.local}reports"),),
        lambda replies: {pool: _REPORT.validate_json(text) for pool, text in to_mapping(replies[0]).items()},
    )
