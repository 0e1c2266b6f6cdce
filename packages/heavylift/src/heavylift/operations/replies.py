"""Values as Redis replies them and scripts take them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import orjson
from pydantic import JsonValue, ValidationError

from heavylift.model import JobStatus, Progress
from heavylift.store import Reply

EMPTY = b""
"""How a script is told that an argument is absent."""


def event_text(facts: Mapping[str, JsonValue]) -> bytes:
    """Return the facts as the JSON text a script puts behind `{"event":…,"at":…`."""
    return b"," + orjson.dumps(facts)[1:-1] if facts else EMPTY


def to_ms(moment: datetime) -> int:
    """Return the moment in ms since 1970, as scripts compare it."""
    return int(moment.timestamp() * 1000)


def to_time(ms: bytes | int | None) -> datetime | None:
    """Return the moment of these ms since 1970; None for none."""
    return datetime.fromtimestamp(int(ms) / 1000, UTC) if ms else None


def to_json(text: bytes | None) -> JsonValue:
    """Return what the JSON text says; None for none."""
    return orjson.loads(text) if text else None


def to_progress(text: Reply) -> Progress | None:
    """Return the progress of a record; None for none."""
    try:
        return Progress.model_validate_json(text) if isinstance(text, bytes) else None
    except ValidationError:  # one bad report must not hide a page of jobs
        return None


def to_status(reply: Reply) -> JobStatus | None:
    """Return a state; None for an unknown job."""
    return JobStatus(to_text(reply)) if reply else None


def to_mapping(reply: Reply) -> dict[str, bytes]:
    """Return a hash."""
    # redis-py turns HGETALL into a dict in one protocol version and leaves a flat list in pipelines of raw commands.
    if isinstance(reply, dict):
        return {to_text(name): to_bytes(value) for name, value in reply.items()}
    flat = to_list(reply)
    return {to_text(name): to_bytes(value) for name, value in zip(flat[::2], flat[1::2], strict=True)}


def to_list(reply: Reply) -> list[Reply]:
    """Return the reply as the list it must be."""
    if not isinstance(reply, list | tuple | set):
        raise TypeError(f"Redis sent {type(reply).__name__} where a list was expected")
    return list(reply)


def to_bytes(reply: Reply) -> bytes:
    """Return the reply as the bytes it must be."""
    if not isinstance(reply, bytes):
        raise TypeError(f"Redis sent {type(reply).__name__} where bytes were expected")
    return reply


def to_text(reply: Reply) -> str:
    """Return the reply as text."""
    return reply if isinstance(reply, str) else to_bytes(reply).decode()


def to_int(reply: Reply) -> int:
    """Return the reply as a whole number."""
    return int(to_bytes(reply)) if not isinstance(reply, int) else reply
