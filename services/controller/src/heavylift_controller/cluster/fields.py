"""Reads the API server's JSON: what is missing, or is not of the kind it should be, is as good as empty.

Objects are plain dicts, and never trusted to be whole: one odd object must not blind the controller to all others.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

Json = Mapping[str, object]


def value(obj: object, *path: str) -> object:
    """Return what lies at the path, or None."""
    for key in path:
        if not isinstance(obj, Mapping):
            return None
        obj = obj.get(key)
    return obj


def part(obj: object, *path: str) -> Json:
    """Return the object at the path."""
    found = value(obj, *path)
    return found if isinstance(found, Mapping) else {}


def parts(obj: object, *path: str) -> list[Json]:
    """Return the objects of the list at the path."""
    found = value(obj, *path)
    return [entry for entry in found if isinstance(entry, Mapping)] if isinstance(found, list) else []


def text(obj: object, *path: str) -> str:
    """Return the text at the path."""
    found = value(obj, *path)
    return found if isinstance(found, str) else ""


def texts(obj: object, *path: str) -> dict[str, str]:
    """Return the labels or annotations at the path."""
    return {key: entry for key, entry in part(obj, *path).items() if isinstance(entry, str)}


def number(obj: object, *path: str, default: int = 0) -> int:
    """Return the whole number at the path."""
    found = value(obj, *path)
    return found if isinstance(found, int) and not isinstance(found, bool) else default


def moment(obj: object, *path: str) -> float:
    """Return the time at the path in seconds since the epoch; 0 where there is none."""
    try:
        return datetime.fromisoformat(text(obj, *path)).timestamp()
    except ValueError:
        return 0.0


def name(obj: object) -> str:
    """Return an object's name."""
    return text(obj, "metadata", "name")
