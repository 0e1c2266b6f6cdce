"""How jobs get into the store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, TypeVar

import orjson

from heavylift.constants import Keys
from heavylift.envelope import message
from heavylift.errors import QueueFull
from heavylift.ids import JobId
from heavylift.model import Artifact, JobTypeInfo, Priority
from heavylift.operations.replies import EMPTY, to_int, to_list, to_ms
from heavylift.scripts import script
from heavylift.store import Argument, Call, Reply

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Submission:
    """A validated job on its way into the store. `input` is JSON."""

    id: JobId
    info: JobTypeInfo
    input: bytes
    priority: Priority = Priority.NORMAL
    run_at: datetime | None = None
    expires_at: datetime | None = None
    artifacts: Sequence[Artifact] = ()


class Submitted(NamedTuple):
    """What became of a Submission: `created` is False when the job was there already."""

    id: JobId
    created: bool
    at: int
    """When that was, in ms since 1970 by Redis's clock: a new job's `created_at`."""


def submit(keys: Keys, queue: str, submissions: Sequence[Submission], *, bound: int = 0) -> Call[list[Submitted]]:
    """Accept jobs of one queue, all or none. Raises QueueFull when more than `bound` would wait (0: no bound)."""

    def parse(reply: Reply) -> list[Submitted]:
        head, *flags = to_list(reply)
        at = to_int(head)
        if at == 0:
            raise QueueFull(queue, bound)
        return [Submitted(item.id, flag == 1, at) for item, flag in zip(submissions, flags, strict=True)]

    return _call(keys, queue, submissions, [bound, "all"], parse)


def submit_each(
    keys: Keys, queue: str, submissions: Sequence[Submission], *, bound: int = 0
) -> Call[list[Submitted | None]]:
    """Accept jobs of one queue, in order, while fewer than `bound` wait (0: no bound). None: no place was left."""

    def parse(reply: Reply) -> list[Submitted | None]:
        at, *flags = to_list(reply)
        return [
            None if flag == _NO_PLACE else Submitted(item.id, flag == 1, to_int(at))
            for item, flag in zip(submissions, flags, strict=True)
        ]

    return _call(keys, queue, submissions, [bound, "each"], parse)


_NO_PLACE = 2
"""As in scripts/submit.lua."""


def _call(
    keys: Keys,
    queue: str,
    submissions: Sequence[Submission],
    head: list[Argument],
    parse: Callable[[Reply], T],
) -> Call[T]:
    args = head
    for item in submissions:
        args += submission_args(item)
    return Call.of(script("submit"), keys.script_keys(queue), args, parse)


def submission_args(item: Submission) -> list[Argument]:
    """Return the fields of a job as `accept` in scripts/common.lua reads them."""
    return [
        item.id.uuid,
        item.info.type,
        item.input,
        message(item.id, item.info.type, item.priority),
        int(item.priority),
        item.info.retry.max_attempts,
        to_ms(item.run_at) if item.run_at else EMPTY,
        to_ms(item.expires_at) if item.expires_at else EMPTY,
        int(item.info.retention.total_seconds() * 1000),
        orjson.dumps([artifact.model_dump() for artifact in item.artifacts]) if item.artifacts else EMPTY,
    ]
