"""The poster: the still picture that stands for the film."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageStat

from heavylift_worker.jobs.video.models import Poster, PosterOptions
from heavylift_worker.jobs.video.stills import Stills

_NAME = "poster.jpg"

_CANDIDATES = tuple(tenth / 10 for tenth in range(1, 10))
"""Shares of the film's length. It begins at a tenth: films open with black, logos and titles."""

_DARK = 16
"""Mean brightness (0 to 255) under which a picture counts as black; night scenes measure 20 and more."""


def make_poster(stills: Stills, folder: Path, options: PosterOptions, *, length: float) -> Poster:
    """Write the poster of a film of `length` seconds into the folder."""
    image, seconds = _chosen(stills, options, length)
    image.save(folder / _NAME, quality=options.quality, optimize=True)
    return Poster(name=_NAME, width=image.width, height=image.height, at_seconds=round(seconds, 3))


def _chosen(stills: Stills, options: PosterOptions, length: float) -> tuple[Image.Image, float]:
    wanted = [share * length for share in _CANDIDATES] if options.at_seconds is None else [options.at_seconds]
    first: tuple[Image.Image, float] | None = None
    for seconds in wanted:
        frame = stills.at(seconds)
        image = frame.to_image()
        first = first or (image, frame.time)
        if ImageStat.Stat(image.convert("L")).mean[0] >= _DARK:
            return image, frame.time
    assert first is not None
    return first
