"""What the controller asks: take back dead leases, queue what is due, sweep what is over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from heavylift.constants import Keys
from heavylift.operations.replies import to_int, to_list, to_mapping, to_ms, to_text
from heavylift.scripts import script
from heavylift.store import Argument, Call, Reply


class Lease(NamedTuple):
    """A lease as the reaper sees it."""

    uuid: str
    token: str
    beats: int


def read_leases(keys: Keys, queue: str) -> Call[list[Lease]]:
    """Return all leases of a queue."""
    return Call(_lease_commands(keys, queue), lambda replies: _leases(*replies))


def read_all_leases(keys: Keys, queues: Sequence[str]) -> Call[dict[str, list[Lease]]]:
    """Return all leases of several queues by queue, in one round trip. One broken queue fails the whole Call."""

    def parse(replies: list[Reply]) -> dict[str, list[Lease]]:
        pairs = zip(replies[::2], replies[1::2], strict=True)
        return {queue: _leases(*pair) for queue, pair in zip(queues, pairs, strict=True)}

    return Call([command for queue in queues for command in _lease_commands(keys, queue)], parse)


def _lease_commands(keys: Keys, queue: str) -> list[tuple[str, str]]:
    return [("HGETALL", keys.leases(queue)), ("HGETALL", keys.beats(queue))]


def _leases(tokens: Reply, beats: Reply) -> list[Lease]:
    counted = to_mapping(beats)
    return [Lease(uuid, token.decode(), int(counted.get(uuid, 0))) for uuid, token in to_mapping(tokens).items()]


def reap(keys: Keys, queue: str, dead: Sequence[Lease]) -> Call[list[str]]:
    """Take back leases that were not renewed since they were read so. The jobs' new states; '' where one was."""
    args: list[Argument] = [part for lease in dead for part in lease]
    return Call.of(
        script("reap"), keys.script_keys(queue), args, lambda reply: [to_text(state) for state in to_list(reply)]
    )


class Released(NamedTuple):
    """How many scheduled jobs were queued, and when the next is due (None: there is none)."""

    count: int
    next_in: timedelta | None


def release_due(keys: Keys, queue: str, *, limit: int = 500) -> Call[Released]:
    """Queue the scheduled jobs whose time has come."""

    def parse(reply: Reply) -> Released:
        count, wait = to_list(reply)
        return Released(to_int(count), timedelta(milliseconds=to_int(wait)) if to_int(wait) >= 0 else None)

    return Call.of(script("release_due"), keys.script_keys(queue), [limit], parse)


def read_kept_until(keys: Keys, queue: str, now: datetime, *, limit: int = 500, offset: int = 0) -> Call[list[str]]:
    """Return uuids of finished jobs whose retention ended before `now`, the first to end first, from `offset` on."""
    command = ("ZRANGEBYSCORE", f"{keys.base(queue)}kept", "-inf", to_ms(now), "LIMIT", offset, limit)
    return Call([command], lambda replies: [to_text(uuid) for uuid in to_list(replies[0])])


def forget(keys: Keys, queue: str, uuids: Sequence[str]) -> Call[int]:
    """Remove finished jobs whose retention is over; returns how many."""
    return Call.of(script("forget"), keys.script_keys(queue), uuids, to_int)
