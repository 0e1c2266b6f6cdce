"""What a queue holds, in numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from heavylift.constants import Keys
from heavylift.model import JobStatus, Priority
from heavylift.operations.replies import to_int, to_list, to_text
from heavylift.store import Call, Reply

_BAND = 10**13
"""As in scripts/common.lua: `queued` sorts by priority step * _BAND + creation."""


@dataclass(frozen=True, slots=True)
class QueueState:
    """What a queue holds. `dead` are failed jobs, kept for replay.

    `waiting` covers messages of stock producers that no worker has adopted yet.
    """

    waiting: int
    running: int
    scheduled: int
    dead: int
    oldest_age_seconds: float


def find_messages(keys: Keys, queues: Sequence[str]) -> Call[bool]:
    """Return whether any of the queues has a message, with one command for all of them."""
    lists = [name for queue in queues for name in (*keys.lists(queue), keys.suspects(queue))]
    return Call([("EXISTS", *lists)], lambda replies: to_int(replies[0]) > 0)


def queue_state(keys: Keys, queue: str) -> Call[QueueState]:
    """Return what a queue holds and how long its oldest waiting job has waited since its submit."""
    bands = [
        (
            "ZRANGEBYSCORE",
            keys.index(queue, JobStatus.QUEUED),
            step * _BAND,
            (step + 1) * _BAND - 1,
            "WITHSCORES",
            "LIMIT",
            0,
            1,
        )
        for step in Priority
    ]
    counted = (JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.SCHEDULED, JobStatus.FAILED)
    counts = [("ZCARD", keys.index(queue, status)) for status in counted]

    def parse(replies: list[Reply]) -> QueueState:
        seconds, micros = to_list(replies[0])
        now = to_int(seconds) * 1000 + to_int(micros) // 1000
        queued, running, scheduled, dead = (to_int(count) for count in replies[1:5])
        oldest = [int(float(to_text(to_list(band)[1]))) % _BAND for band in replies[5:9] if to_list(band)]
        unadopted = sum(to_int(length) for length in replies[10:]) - queued - to_int(replies[9] or 0)
        age = max((now - created) / 1000 for created in oldest) if oldest else 0.0
        return QueueState(queued + max(unadopted, 0), running, scheduled, dead, oldest_age_seconds=max(age, 0.0))

    lengths = [("LLEN", name) for name in keys.lists(queue)]
    messages = [("GET", f"{keys.base(queue)}stale"), ("LLEN", keys.suspects(queue)), *lengths]
    return Call([("TIME",), *counts, *bands, *messages], parse)
