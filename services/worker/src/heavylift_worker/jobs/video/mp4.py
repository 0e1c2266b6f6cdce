"""What an MP4 or QuickTime file's header says, which FFmpeg does not tell: it works the duration out of the index.

The file is a row of boxes: four bytes of size, four of name, and the content (ISO/IEC 14496-12, 4.2 and 8.2.2).
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

_LARGE = 1
"""A size that stands for: 64 bits of size follow."""

_UNKNOWN = (0, 0xFFFF_FFFF, 0xFFFF_FFFF_FFFF_FFFF)
"""Durations of a film that was still being recorded when its header was written."""


def header_seconds(path: Path) -> float | None:
    """Return the duration in the movie header; None if there is none, or it names none."""
    with path.open("rb") as file:
        end = path.stat().st_size
        for name in (b"moov", b"mvhd"):
            found = _find(file, name, end)
            if found is None:
                return None
            end = found
        try:
            (version,) = struct.unpack("B3x", file.read(4))
            scale, duration = struct.unpack(
                ">16xIQ" if version == 1 else ">8xII", file.read(28 if version == 1 else 16)
            )
        except struct.error:
            return None
    return duration / scale if scale and duration not in _UNKNOWN else None


def _find(file: BinaryIO, wanted: bytes, end: int) -> int | None:
    """Move to the content of the next box of a name before `end`; return where it ends."""
    while (start := file.tell()) + 8 <= end:
        size, name = struct.unpack(">I4s", file.read(8))
        if size == _LARGE:
            (size,) = struct.unpack(">Q", file.read(8).ljust(8, b"\0"))
        if name == wanted:
            return start + size if size else end
        if size < 8:  # noqa: PLR2004 - a box is no smaller than its head
            return None
        file.seek(start + size)
    return None
