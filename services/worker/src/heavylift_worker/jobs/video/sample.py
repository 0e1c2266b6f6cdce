"""The sample film: a moving test picture and a tone, both made on the spot.

Run as `python -m heavylift_worker.jobs.video.sample OUT --seconds 10 --size 1280x720`.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.audio.frame import AudioFrame
from av.error import EOFError as FilterDone
from av.filter import Graph
from av.video.frame import VideoFrame

from heavylift_worker.jobs.video.picture import PIXEL_FORMAT, Size

DEFAULT_SIZE = Size(1280, 720)

_SAMPLE_RATE = 48_000
_TONE_HERTZ = 440
_FRAME_SAMPLES = 1024
"""Samples of an AAC frame."""


def make_sample(
    path: Path, *, seconds: float = 10, size: Size = DEFAULT_SIZE, rate: int = 25, sound: bool = True
) -> None:
    """Write a film; the path's suffix chooses the container.

    Parameters
    ----------
    path
        Where to; an existing file is replaced.
    seconds, size, rate
        Length, even width and height in pixels, and frames a second.
    sound
        Whether there is a tone.

    """
    with av.open(str(path), "w") as output:
        picture = output.add_stream("libx264", rate=rate, options={"preset": "ultrafast"})
        picture.width, picture.height, picture.pix_fmt = size.width, size.height, PIXEL_FORMAT
        tone = output.add_stream("aac", rate=_SAMPLE_RATE, layout="stereo") if sound else None
        tones = _tones(seconds)
        heard = Fraction(0)
        for count, frame in enumerate(_pictures(size, rate, seconds), start=1):
            output.mux(picture.encode(frame))
            # The tone keeps up with the picture, so that the file plays while it loads.
            while tone and heard < Fraction(count, rate) and (part := next(tones, None)):
                output.mux(tone.encode(part))
                heard += Fraction(part.samples, _SAMPLE_RATE)
        output.mux(picture.encode(None))
        if tone:
            output.mux(tone.encode(None))


def _pictures(size: Size, rate: int, seconds: float) -> Iterator[VideoFrame]:
    graph = Graph()
    graph.link_nodes(
        graph.add("testsrc2", f"size={size.width}x{size.height}:rate={rate}:duration={seconds}"),
        graph.add("format", PIXEL_FORMAT),
        graph.add("buffersink"),
    ).configure()
    while True:
        try:
            yield graph.vpull()
        except FilterDone:
            return


def _tones(seconds: float) -> Iterator[AudioFrame]:
    graph = Graph()
    graph.link_nodes(
        graph.add(
            "sine",
            f"frequency={_TONE_HERTZ}:sample_rate={_SAMPLE_RATE}:duration={seconds}:samples_per_frame={_FRAME_SAMPLES}",
        ),
        graph.add("aformat", "sample_fmts=fltp:channel_layouts=stereo"),
        graph.add("abuffersink"),
    ).configure()
    while True:
        try:
            frame = graph.pull()
        except FilterDone:
            return
        assert isinstance(frame, AudioFrame)
        yield frame


def _size(text: str) -> Size:
    if not (match := re.fullmatch(r"(\d+)x(\d+)", text)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a size; write it as 1280x720")
    width, height = int(match[1]), int(match[2])
    if width % 2 or height % 2 or not width * height:
        raise argparse.ArgumentTypeError(f"{text!r}: H.264 needs an even width and height")
    return Size(width, height)


def main() -> None:
    """Make a sample film from the command line."""
    parser = argparse.ArgumentParser(description="Make a sample film: a moving test picture and a tone.")
    parser.add_argument("out", type=Path, help="the file to write, such as sample.mp4")
    parser.add_argument("--seconds", type=float, default=10, help="how long it lasts (default: 10)")
    parser.add_argument("--size", type=_size, default=DEFAULT_SIZE, help="width x height (default: 1280x720)")
    parser.add_argument("--rate", type=int, default=25, help="frames a second (default: 25)")
    parser.add_argument("--silent", action="store_true", help="leave the tone out")
    order = parser.parse_args()
    make_sample(order.out, seconds=order.seconds, size=order.size, rate=order.rate, sound=not order.silent)


if __name__ == "__main__":
    main()
