"""The film as it came in: opened safely, looked at, and refused in words its owner understands."""

from __future__ import annotations

import struct
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.codec.context import ThreadType
from av.container import InputContainer
from av.error import FFmpegError
from av.index import IndexEntry
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from heavylift import JobFailed
from heavylift_worker.jobs.video.limits import (
    DURATION_SLACK,
    FILM_FORMATS,
    MAX_FRAME_PIXELS,
    MAX_FRAME_SIDE,
    MAX_HEADER_LIE,
    MAX_OPENING_PACKETS,
    MAX_PIXEL_SHAPE,
)
from heavylift_worker.jobs.video.mp4 import header_seconds
from heavylift_worker.jobs.video.orientation import Orientation, read_orientation

_TIME_BASE = 1_000_000
"""FFmpeg counts a container's times in microseconds."""

_RIFF_PADDING = 8
"""Bytes: writers differ on whether the last chunk's padding and head count."""

_HDR_TRANSFERS = (16, 18)
"""SMPTE ST 2084 (HDR10, Dolby Vision) and ARIB STD-B67 (HLG), as H.273 numbers them."""

_INTERLACED_ORDERS = (2, 3, 4, 5)
"""AVFieldOrder: everything but unknown and progressive."""

_DECLARING_FORMATS = frozenset({"asf", "avi", "flv", "matroska", "mov", "mxf", "nut", "webm"})
"""Containers that write the duration down; elsewhere FFmpeg estimates it, which proves nothing."""


@dataclass(frozen=True)
class Colour:
    """What the numbers in a picture mean, as H.273 codes."""

    primaries: int
    transfer: int
    matrix: int

    @property
    def hdr(self) -> bool:
        """Tell whether the picture is brighter than a plain screen shows."""
        return self.transfer in _HDR_TRANSFERS


@dataclass
class Film:
    """An open film with the streams that are used."""

    path: Path
    size: int
    container: InputContainer
    video: VideoStream
    audio: AudioStream | None
    zero: Fraction
    """Seconds; the time of the film's beginning on the container's clock."""

    @property
    def formats(self) -> frozenset[str]:
        """Return the container's names, such as `mov` and `mp4`."""
        return frozenset(self.container.format.name.split(","))

    @property
    def declared_seconds(self) -> float | None:
        """Return how long the film is by its header, or by FFmpeg's estimate."""
        return self.container.duration / _TIME_BASE if self.container.duration else None

    @property
    def announces_duration(self) -> bool:
        """Tell whether `declared_seconds` was written down by whoever made the film."""
        return bool(self.formats & _DECLARING_FORMATS) and self.declared_seconds is not None


@dataclass(frozen=True)
class Opening:
    """What the film's first whole picture tells."""

    width: int
    height: int
    pixel_format: str
    shape: Fraction
    """Width of a pixel by its height."""
    orientation: Orientation
    interlaced: bool
    colour: Colour
    at: Fraction | None
    """Seconds on the container's clock; headers are at times wrong about when a film begins."""

    @property
    def display(self) -> tuple[Fraction, Fraction]:
        """Return width and height as shown: upright, in square pixels."""
        width = self.width * self.shape
        return (Fraction(self.height), width) if self.orientation.sideways else (width, Fraction(self.height))


@contextmanager
def open_film(path: Path, *, threads: int) -> Generator[Film]:
    """Open a film for reading from its beginning.

    Raises
    ------
    JobFailed
        It is empty, not a film, has no picture, or its pictures are too large.

    """
    size = path.stat().st_size
    if not size:
        raise JobFailed("The file is empty (zero bytes): there is no film in it.")
    with _open(path) as container:
        video = _video_stream(container)
        check_frame_size(video.codec_context.width, video.codec_context.height)
        audio = _audio_stream(container, video)
        for stream in filter(None, (video, audio)):
            stream.codec_context.thread_count = threads
            stream.codec_context.thread_type = ThreadType.AUTO
        yield Film(path, size, container, video, audio, _beginning(container, video, audio))


def look(film: Film, *, checkpoint: Callable[[], None]) -> Opening:
    """Decode the film's first whole picture; the film has to be opened anew to be read from its beginning.

    `checkpoint` is called for every packet.

    Raises
    ------
    JobFailed
        There is none, or it is too large.

    """
    frame = _first_frame(film, checkpoint)
    check_frame_size(frame.width, frame.height)
    opening = Opening(
        width=frame.width,
        height=frame.height,
        pixel_format=frame.format.name,
        shape=_plausible(film.video.sample_aspect_ratio),
        orientation=read_orientation(frame),
        interlaced=frame.interlaced_frame or film.video.codec_context.field_order in _INTERLACED_ORDERS,
        colour=Colour(frame.color_primaries, frame.color_trc, frame.colorspace),
        at=frame.pts * _time_base(film.video) if frame.pts is not None else None,
    )
    check_frame_size(*map(round, opening.display))
    return opening


def check_frame_size(width: int, height: int) -> None:
    """Refuse pictures too large to decode safely.

    Raises
    ------
    JobFailed
        They are.

    """
    if max(width, height) > MAX_FRAME_SIDE or width * height > MAX_FRAME_PIXELS:
        raise JobFailed(
            f"The film's pictures are {width} x {height} pixels; at most {MAX_FRAME_SIDE} to a side and "
            f"{MAX_FRAME_PIXELS / 1e6:.0f} million in all are accepted. Scale it down first."
        )


def check_complete(film: Film) -> None:
    """Refuse a film whose header or index speaks of more bytes than the file has.

    Raises
    ------
    JobFailed
        It was cut off; the sentence says how much is there.

    """
    if "avi" in film.formats:
        _check_riff(film)
    if "mov" in film.formats:
        _check_header(film)
    entries = film.video.index_entries
    if not len(entries) or not film.formats & {"mov"} or _end_of(entries[-1]) <= film.size:
        return
    low, high = 0, len(entries) - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if _end_of(entries[middle]) > film.size else (middle + 1, high)
    readable = float((entries[low].timestamp - entries[0].timestamp) * _time_base(film.video))
    raise JobFailed(incomplete(readable, film.declared_seconds))


def _check_header(film: Film) -> None:
    """Refuse an MP4 whose header promises far more than its index lists."""
    promised, listed = header_seconds(film.path), film.declared_seconds
    if promised and listed and promised > MAX_HEADER_LIE * listed + DURATION_SLACK:
        raise JobFailed(incomplete(listed, promised))


def _check_riff(film: Film) -> None:
    """Refuse a cut AVI by its size: FFmpeg shortens its declared duration to what is there."""
    with film.path.open("rb") as file:
        tag, size = struct.unpack("<4sI", file.read(8))
    announced = size + 8
    # 0 and the largest number stand for "not known yet": a recording whose header was never completed.
    if tag == b"RIFF" and size not in (0, 0xFFFFFFFF) and announced > film.size + _RIFF_PADDING:
        raise JobFailed(
            f"The film is incomplete: its header speaks of {announced:,} bytes, but the file has {film.size:,}. It was "
            "cut off on its way here; upload it again."
        )


def incomplete(readable: float, declared: float | None) -> str:
    """Return the sentence for a film that ends before it should."""
    return (
        f"The film is incomplete: it says it lasts {duration(declared or 0)}, but only {duration(readable)} could be "
        "read. It was cut off on its way here, or its header is wrong; export or upload it again."
    )


def broken_clock(gap: Fraction) -> str:
    """Return the sentence for a film with an impossible pause."""
    return f"The film's clock is broken: it has a pause of {duration(float(gap))}. Export it again."


def duration(seconds: float) -> str:
    """Return a duration as people write it: `9.5 s`, `2:05`, `1:00:00`."""
    if seconds < 60:  # noqa: PLR2004 - seconds in a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _open(path: Path) -> InputContainer:
    options = {"format_whitelist": FILM_FORMATS, "protocol_whitelist": "file"}
    try:
        return av.open(f"file:{path.absolute()}", options=options, metadata_errors="replace")
    except FFmpegError as error:
        raise JobFailed(_why_unreadable(path)) from error


def _why_unreadable(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(12)
    if head[4:8] in (b"ftyp", b"mdat", b"wide", b"free"):
        return (
            "The film is incomplete: its index, which stands at the end of an MP4 or QuickTime file, is missing. It "
            "was cut off on its way here or while it was recorded; upload it again."
        )
    if head.startswith((b"\x1aE\xdf\xa3", b"RIFF", b"FLV", b"OggS")):
        return "The film is damaged or incomplete: nothing can be read beyond its first bytes. Upload it again."
    return "The file is not a film that can be read. MP4, QuickTime, Matroska, WebM, AVI, MPEG and FLV films work."


def _video_stream(container: InputContainer) -> VideoStream:
    pictures = [stream for stream in container.streams.video if not _is_cover(stream)]
    if not pictures and container.streams.audio:
        raise JobFailed("The file has sound only and no picture: there is nothing to transcode to video.")
    if not pictures:
        raise JobFailed("The file has neither picture nor sound: it is not a film.")
    best = container.streams.best("video")
    chosen = next((stream for stream in pictures if stream == best), pictures[0])
    if chosen.codec_context is None:
        raise JobFailed("The film's picture is in a format that cannot be decoded here. Export it as H.264 first.")
    return chosen


def _is_cover(stream: Stream) -> bool:
    return bool(stream.disposition & (Disposition.attached_pic | Disposition.timed_thumbnails))


def _audio_stream(container: InputContainer, video: VideoStream) -> AudioStream | None:
    best = container.streams.best("audio", related=video)
    usable = isinstance(best, AudioStream) and best.codec_context is not None and best.codec_context.sample_rate
    return best if usable else None


def _beginning(container: InputContainer, *streams: Stream | None) -> Fraction:
    starts = [stream.start_time * _time_base(stream) for stream in streams if stream and stream.start_time is not None]
    return min(starts, default=Fraction(container.start_time or 0, _TIME_BASE))


def _time_base(stream: Stream) -> Fraction:
    return stream.time_base or Fraction(1, _TIME_BASE)


def _plausible(shape: Fraction | None) -> Fraction:
    return shape if shape and Fraction(1, MAX_PIXEL_SHAPE) <= shape <= MAX_PIXEL_SHAPE else Fraction(1)


def _first_frame(film: Film, checkpoint: Callable[[], None]) -> VideoFrame:
    try:
        for count, packet in enumerate(film.container.demux(film.video)):
            checkpoint()
            for frame in _decode(packet):
                return frame
            if count >= MAX_OPENING_PACKETS:
                break
    except FFmpegError as error:
        raise JobFailed(NO_PICTURE) from error
    raise JobFailed(NO_PICTURE)


NO_PICTURE = "No picture of the film can be decoded: it is damaged, protected against copying, or has no pictures."


def _decode(packet: Packet[VideoStream]) -> list[VideoFrame]:
    try:
        return packet.decode()
    except FFmpegError:
        return []  # the decoder has not found its feet yet; the next key frame may work


def _end_of(entry: IndexEntry) -> int:
    return entry.pos + entry.size
