"""The preview strip: small pictures at even distances, side by side in one JPEG."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from heavylift_worker.jobs.video.models import Preview, PreviewOptions
from heavylift_worker.jobs.video.picture import Size
from heavylift_worker.jobs.video.stills import Stills

_NAME = "preview.jpg"

_MAX_WIDTH = 16_384
"""Pixels that browsers and phones take as one picture."""


def make_preview(stills: Stills, folder: Path, options: PreviewOptions, *, size: Size, length: float) -> Preview:
    """Write the strip of a film of `size`, `length` seconds long, into the folder."""
    width = min(_MAX_WIDTH, max(1, round(options.height * size.width / size.height)))
    count = min(options.frames, _MAX_WIDTH // width)
    strip = Image.new("RGB", (count * width, options.height))
    times: list[float] = []
    for index in range(count):
        frame = stills.at((index + 0.5) * length / count)
        strip.paste(frame.to_image(width=width, height=options.height), (index * width, 0))
        times.append(round(frame.time, 3))
    strip.save(folder / _NAME, quality=options.quality, optimize=True)
    return Preview(name=_NAME, width=strip.width, height=strip.height, tile_width=width, at_seconds=times)
