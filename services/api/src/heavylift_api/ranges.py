"""Conditional and partial answers (RFC 9110 §13, §14), for content that its SHA-256 names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from heavylift_api.errors import RangeNotSatisfiable

_RANGE = re.compile(r"bytes=(?P<first>\d{0,19})-(?P<last>\d{0,19})\Z")


class Span(NamedTuple):
    """Bytes from `start` up to, not including, `end`."""

    start: int
    end: int


def unchanged(headers: Mapping[str, str], etag: str) -> bool:
    """Tell whether If-None-Match names what the client would get."""
    given = headers.get("if-none-match")
    if given is None:
        return False
    return given.strip() == "*" or etag in {tag.strip().removeprefix("W/") for tag in given.split(",")}


def requested(headers: Mapping[str, str], etag: str, size: int) -> Span | None:
    """Return the part asked for, or None for the whole: also for several parts, or another version's.

    Raises RangeNotSatisfiable.
    """
    if headers.get("if-range", etag).strip() != etag:
        return None
    match = _RANGE.match(headers.get("range", "").replace(" ", ""))
    if match is None or match["first"] == match["last"] == "":
        return None
    if match["first"]:
        start = int(match["first"])
        end = min(int(match["last"] or size) + 1, size)
        if match["last"] and int(match["last"]) < start:
            return None  # not a range at all
    else:
        start, end = max(size - int(match["last"]), 0), size
    if start >= size:
        raise RangeNotSatisfiable(f"The artifact has {size} bytes.", headers={"Content-Range": f"bytes */{size}"})
    return Span(start, end)
