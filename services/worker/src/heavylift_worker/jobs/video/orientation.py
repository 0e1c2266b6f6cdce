"""How a player turns the stored picture, read from the container's display matrix."""

from __future__ import annotations

import struct
from typing import NamedTuple

from av.video.frame import VideoFrame


class Orientation(NamedTuple):
    """One of the eight ways to turn and mirror a picture by right angles."""

    rotation: int
    """Degrees clockwise, after mirroring left to right."""
    mirrored: bool
    filters: tuple[tuple[str, str], ...]
    """FFmpeg filters, with arguments, that make the stored picture upright."""

    @property
    def sideways(self) -> bool:
        """Tell whether width and height change places."""
        return self.rotation in (90, 270)


UPRIGHT = Orientation(0, mirrored=False, filters=())

_BY_SIGNS = {
    # (a, b, c, d) sends the stored point (x, y) to (ax + cy, bx + dy); y grows downwards.
    (1, 0, 0, 1): UPRIGHT,
    (0, 1, -1, 0): Orientation(90, mirrored=False, filters=(("transpose", "clock"),)),
    (-1, 0, 0, -1): Orientation(180, mirrored=False, filters=(("hflip", ""), ("vflip", ""))),
    (0, -1, 1, 0): Orientation(270, mirrored=False, filters=(("transpose", "cclock"),)),
    (-1, 0, 0, 1): Orientation(0, mirrored=True, filters=(("hflip", ""),)),
    (0, -1, -1, 0): Orientation(90, mirrored=True, filters=(("transpose", "clock_flip"),)),
    (1, 0, 0, -1): Orientation(180, mirrored=True, filters=(("vflip", ""),)),
    (0, 1, 1, 0): Orientation(270, mirrored=True, filters=(("transpose", "cclock_flip"),)),
}


def read_orientation(frame: VideoFrame) -> Orientation:
    """Return how the frame is to be shown; an angle between is taken to the nearest right one."""
    side_data = frame.side_data.get("DISPLAYMATRIX")
    if side_data is None:
        return UPRIGHT
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(side_data))
    if max(abs(a), abs(d)) >= max(abs(b), abs(c)):
        b = c = 0
    else:
        a = d = 0
    return _BY_SIGNS.get((_sign(a), _sign(b), _sign(c), _sign(d)), UPRIGHT)


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)
