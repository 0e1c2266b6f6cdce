"""The way of a picture from the decoder to the encoders: deinterlaced, scaled, upright, square pixels, 8 bit SDR.

One FFmpeg filter graph serves all sizes. Each size is scaled from the next larger one, which costs a third of scaling
every one from the source and cannot be told apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

from av.error import BlockingIOError as FilterNeedsInput
from av.error import EOFError as FilterDone
from av.filter import Graph
from av.filter.context import FilterContext
from av.video.frame import VideoFrame

from heavylift_worker.jobs.video.film import Colour, Opening, check_frame_size
from heavylift_worker.jobs.video.orientation import Orientation

PIXEL_FORMAT = "yuv420p"
"""8 bit 4:2:0: what every browser, phone and television plays."""

BT709 = Colour(primaries=1, transfer=1, matrix=1)

_RGB_MATRIX = 0
_UNKNOWN = 2
_LIMITED_RANGE = 1


class Size(NamedTuple):
    """Width and height in pixels."""

    width: int
    height: int


def plan_sizes(display: tuple[Fraction, Fraction], heights: Sequence[int]) -> list[Size]:
    """Return the sizes to make, largest first: even sides, the film's own shape, never larger than the film.

    Parameters
    ----------
    display
        The film's width and height as shown.
    heights
        What was asked for; those above the film's own become its own, once.

    """
    width, height = display
    wanted = sorted({_even(min(Fraction(each), height)) for each in heights}, reverse=True)
    return [Size(min(_even(width), _nearest_even(width * each / height)), each) for each in wanted]


def _even(pixels: Fraction) -> int:
    """Round down to the even number 4:2:0 needs; 2 is the smallest."""
    return max(2, 2 * int(pixels / 2 + Fraction(1, 1000)))


def _nearest_even(pixels: Fraction) -> int:
    return max(2, 2 * round(pixels / 2))


def output_colour(source: Colour) -> Colour:
    """Return the colours of the renditions: the source's own, if a plain screen knows them."""
    if source.hdr or source.matrix in (_RGB_MATRIX, 9, 10):
        return BT709
    return source


class Shape(NamedTuple):
    """What a filter graph is built for; another one has to be built when it changes within a film."""

    width: int
    height: int
    format: str
    matrix: int
    range: int
    interlaced: bool


class Pictures:
    """Turns decoded frames into frames for each rendition; rebuilds its graph when the film changes midway."""

    def __init__(self, opening: Opening, sizes: Sequence[Size], *, time_base: Fraction, threads: int) -> None:
        self._opening = opening
        self._sizes = sizes
        self._time_base = time_base
        self._threads = threads
        self._shape: Shape | None = None
        self._sinks: list[FilterContext] = []
        self._graph = Graph()

    def feed(self, frame: VideoFrame) -> Iterator[tuple[int, VideoFrame]]:
        """Take a frame whose pts is in the graph's time base; yield (index of the size, finished frame)."""
        shape = self._shape_of(frame)
        if shape != self._shape:
            check_frame_size(frame.width, frame.height)
            yield from self.finish()
            self._build(shape, frame)
        self._graph.push(frame)
        yield from self._pull()

    def finish(self) -> Iterator[tuple[int, VideoFrame]]:
        """Yield what the filters still hold."""
        if self._shape is not None:
            self._graph.push(None)
            yield from self._pull()
            self._shape = None

    def _shape_of(self, frame: VideoFrame) -> Shape:
        interlaced = frame.interlaced_frame or (self._shape.interlaced if self._shape else self._opening.interlaced)
        return Shape(
            frame.width, frame.height, frame.format.name, int(frame.colorspace), int(frame.color_range), interlaced
        )

    def _pull(self) -> Iterator[tuple[int, VideoFrame]]:
        for index, sink in enumerate(self._sinks):
            while True:
                try:
                    frame = sink.pull()
                except (FilterNeedsInput, FilterDone):
                    break
                assert isinstance(frame, VideoFrame)
                yield index, frame

    def _build(self, shape: Shape, frame: VideoFrame) -> None:
        self._graph = Graph()
        self._graph.threads = self._threads
        last = self._graph.add(
            "buffer",
            video_size=f"{shape.width}x{shape.height}",
            pix_fmt=shape.format,
            time_base=str(self._time_base),
            pixel_aspect="1/1",
            colorspace=str(shape.matrix),
            range=str(shape.range),
        )
        colour = Colour(frame.color_primaries, frame.color_trc, frame.colorspace)
        orientation = self._opening.orientation
        steps = [("bwdif", "mode=send_frame:deint=interlaced")] if shape.interlaced else []
        steps.append(("scale", _first_scale(self._sizes[0], orientation, colour)))
        steps += [("format", PIXEL_FORMAT), *orientation.filters, ("setsar", "1")]
        for name, arguments in steps:
            last = self._chain(last, name, arguments)
        self._sinks = list(self._branch(last))
        self._graph.configure()
        self._shape = shape

    def _branch(self, last: FilterContext) -> Iterator[FilterContext]:
        """Scale each size from the one before it, and end each in a sink."""
        for size in self._sizes[1:]:
            split = self._chain(last, "split", "2")
            yield self._chain(split, "buffersink", "")
            smaller = self._graph.add("scale", f"w={size.width}:h={size.height}:flags=bicubic")
            split.link_to(smaller, output_idx=1)
            last = smaller
        yield self._chain(last, "buffersink", "")

    def _chain(self, last: FilterContext, name: str, arguments: str) -> FilterContext:
        following = self._graph.add(name, arguments or None)
        last.link_to(following)
        return following


def _first_scale(size: Size, orientation: Orientation, colour: Colour) -> str:
    width, height = reversed(size) if orientation.sideways else size
    wanted = output_colour(colour)
    arguments = f"w={width}:h={height}:flags=bicubic:out_range=limited"
    if wanted != colour:
        arguments += ":out_color_matrix=bt709"
    if colour.hdr:
        arguments += ":out_transfer=bt709:out_primaries=bt709"
    return arguments
