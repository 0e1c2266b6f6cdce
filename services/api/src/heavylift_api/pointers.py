"""JSON Pointers (RFC 6901)."""

from __future__ import annotations

from collections.abc import Iterable


def pointer(path: Iterable[str | int]) -> str:
    """Return the pointer to a place in a document.

    Examples
    --------
    >>> pointer(["sizes", 0, "a/b"])
    '/sizes/0/a~1b'

    """
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)
