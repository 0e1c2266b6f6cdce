"""Writing to the two streams: results to stdout, the way there to stderr."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, datetime

import orjson
from pydantic import BaseModel
from rich.console import Console

_PLAIN_WIDTH = 240
"""Without a terminal nothing is cut or wrapped: a script or a log reads it."""

_UNITS = ("B", "KB", "MB", "GB", "TB")


def stdout() -> Console:
    """Return where results go."""
    return Console(width=None if sys.stdout.isatty() else _PLAIN_WIDTH, highlight=False)


def stderr() -> Console:
    """Return where everything else goes."""
    return Console(stderr=True, width=None if sys.stderr.isatty() else _PLAIN_WIDTH, highlight=False)


def write_json(value: BaseModel | Mapping[str, object]) -> None:
    """Print one JSON document."""
    text = orjson.dumps(value, default=_plain, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    sys.stdout.write(text.decode())
    sys.stdout.flush()


def size(count: int) -> str:
    """Return a number of bytes in words."""
    value = float(count)
    for unit in _UNITS:
        if value < 1000:  # noqa: PLR2004
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} PB"


def age(moment: datetime) -> str:
    """Return how long ago something was."""
    seconds = max(0, round((datetime.now(UTC) - moment).total_seconds()))
    for length, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= length:
            return f"{seconds // length} {unit} ago"
    return f"{seconds} s ago"


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    return str(value)
