"""Job ids: the home queue's name, a dash, and a UUIDv7, so that a record is found without an index."""

from __future__ import annotations

import os
import re
import time
from typing import NamedTuple
from uuid import UUID

from heavylift.errors import InvalidJobId

QUEUE_NAME = re.compile(r"[a-z][a-z0-9_.]{0,62}\Z")
"""Lower case and short, since names become keys, label values and Kubernetes names. No dash: it ends the name."""

_JOB_ID = re.compile(r"(?P<queue>[a-z][a-z0-9_.]{0,62})-(?P<uuid>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\Z")


class JobId(NamedTuple):
    """A job id taken apart."""

    queue: str
    uuid: str

    def __str__(self) -> str:
        return f"{self.queue}-{self.uuid}"


_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\Z")


def new_job_id(queue: str) -> JobId:
    """Return a fresh id, whose uuid sorts by creation (RFC 9562 §5.7: 48 bits of Unix milliseconds, then random)."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return JobId(queue, str(UUID(int=value)))


def is_uuid7(text: str) -> bool:
    """Tell whether this is a UUIDv7 as `new_job_id` writes it. A stock producer's task id may be any text."""
    return _UUID7.match(text) is not None


LARGEST_BATCH = 1 << 14
"""Ids that `batch_uuid` can make from one uuid."""


def batch_uuid(first: str, index: int) -> str:
    """Return the uuid of a batch's job: the same for the same `first` (a `new_job_id`'s uuid) and index.

    The index takes the 14 bits behind the time (RFC 9562 §6.2, method 1), so that the jobs sort as they were sent;
    the other 60 are those of `first`, random.
    """
    return f"{first[:14]}7{index >> 2:03x}-{8 | index & 3:x}{first[20:]}"


def parse_job_id(text: str) -> JobId:
    """Take a job id apart.

    Raises
    ------
    InvalidJobId
        The text is not one.

    """
    match = _JOB_ID.match(text)
    if match is None:
        raise InvalidJobId(text)
    return JobId(match["queue"], match["uuid"])


def created_ms(uuid: str) -> int:
    """Return the Unix milliseconds a UUIDv7 carries (an adopted message's UUIDv4 gives an arbitrary number)."""
    return int(uuid[:8] + uuid[9:13], 16)
