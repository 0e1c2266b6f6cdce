"""One finished film: an H.264 encoder and the MP4 file it writes."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Self

import av
from av.codec.context import Flags
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from heavylift_worker.jobs.video.film import Colour
from heavylift_worker.jobs.video.models import Rendition, TranscodeInput
from heavylift_worker.jobs.video.picture import PIXEL_FORMAT, Size

KEY_FRAME_SECONDS = 2
"""How far apart players can seek; the usual segment length of streaming, and it keeps the preview quick to sample."""

_COARSEST = 1_000
_FINEST = 1_000_000
_COMMON_TIME_BASE = Fraction(1, 90_000)

_LIMITED_RANGE = 1


def time_base_for(source: Fraction | None) -> Fraction:
    """Return the clock of the renditions: the source's own where it is fine enough and an MP4 can hold it."""
    if source and _COARSEST <= 1 / source <= _FINEST:
        return source
    return _COMMON_TIME_BASE


class RenditionWriter:
    """Encodes one size and writes its file, whose index stands in front so that it plays while it loads."""

    def __init__(
        self,
        folder: Path,
        size: Size,
        order: TranscodeInput,
        *,
        rate: Fraction,
        time_base: Fraction,
        colour: Colour,
        threads: int,
    ) -> None:
        self.size = size
        self.path = folder / f"{size.height}p.mp4"
        self.frames = 0
        self.output = av.open(str(self.path), "w", format="mp4", options={"movflags": "faststart"})
        self._track: VideoStream = self.output.add_stream(
            "libx264",
            rate=rate,
            width=size.width,
            height=size.height,
            time_base=time_base,
            pix_fmt=PIXEL_FORMAT,
            options={
                "preset": order.preset.value,
                "crf": str(order.quality),
                "profile": "high",
                "g": str(max(1, round(rate * KEY_FRAME_SECONDS))),
            },
        )
        context = self._track.codec_context
        context.thread_count = threads
        context.flags |= Flags.frame_duration  # or the last picture would have no length
        context.color_primaries, context.color_trc = colour.primaries, colour.transfer
        context.colorspace, context.color_range = colour.matrix, _LIMITED_RANGE

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.output.close()

    def encode(self, frame: VideoFrame) -> None:
        """Encode the next picture."""
        frame.pict_type = PictureType.NONE  # or the encoder would repeat the source's choice of key frames
        self.frames += 1
        self.output.mux(self._track.encode(frame))

    def flush(self, checkpoint: Callable[[], None]) -> None:
        """Encode what the encoder still holds: up to a second of film, hence a look at the job after each picture."""
        for packet in self._track.encode_lazy(None):
            self.output.mux(packet)
            checkpoint()

    def finish(self, length: Fraction) -> Rendition:
        """Close the file and return what it became."""
        self.output.close()
        size = self.path.stat().st_size
        return Rendition(
            name=self.path.name,
            width=self.size.width,
            height=self.size.height,
            size=size,
            bit_rate=round(size * 8 / length) if length else 0,
            duration_seconds=round(float(length), 3),
            frames=self.frames,
        )
