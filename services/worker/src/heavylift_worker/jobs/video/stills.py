"""Still pictures out of a finished rendition, whose key frames stand close enough to seek instead of reading it all."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import av
from av.codec.context import ThreadType
from av.container import InputContainer
from av.video.frame import VideoFrame

_TIME_BASE = 1_000_000
"""FFmpeg counts a container's times in microseconds."""


class Stills:
    """An open rendition to take pictures from. `checkpoint` is called for every picture that is decoded."""

    def __init__(self, container: InputContainer, checkpoint: Callable[[], None]) -> None:
        self._container = container
        self._checkpoint = checkpoint

    def at(self, seconds: float) -> VideoFrame:
        """Return the picture shown at a time; the last one if the film is over by then."""
        self._container.seek(round(seconds * _TIME_BASE))
        shown: VideoFrame | None = None
        for frame in self._container.decode(video=0):
            self._checkpoint()
            if shown is not None and frame.time > seconds:
                break
            shown = frame
        assert shown is not None, "every rendition has a picture, and seeking ends on the key frame before the time"
        return shown


@contextmanager
def open_stills(path: Path, *, threads: int, checkpoint: Callable[[], None]) -> Generator[Stills]:
    """Open a finished rendition."""
    with av.open(str(path)) as container:
        # Slices, not frames: frame threads decode ahead, which every seek would throw away.
        container.streams.video[0].thread_type = ThreadType.SLICE
        container.streams.video[0].codec_context.thread_count = threads
        yield Stills(container, checkpoint)
