"""The film's sound: AAC is taken over as it is where that is safe; all else is encoded once, for all renditions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Protocol

from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.error import BlockingIOError as FilterNeedsInput
from av.error import EOFError as FilterDone
from av.error import FFmpegError
from av.filter import Graph
from av.packet import Packet
from av.stream import Stream

from heavylift import JobFailed
from heavylift_worker.jobs.video.film import Film, broken_clock
from heavylift_worker.jobs.video.limits import MAX_GAP

_PLAIN_RATES = (32_000, 44_100, 48_000)
"""Hertz that every player takes; others become 48,000."""

_STEREO = 2
_FRAME_SAMPLES = 1024
"""Samples of an AAC frame."""

_SMALL_GAP = Fraction(1, 2)
"""Seconds the resampler may fill: it holds all of a gap's silence in memory. Longer ones are filled bit by bit."""


class Sound(Protocol):
    """Brings the film's sound into the renditions."""

    how: str
    """`copied` or `encoded`."""
    end: Fraction
    """Seconds; when the sound read so far ends."""

    def join(self, output: OutputContainer) -> None:
        """Add a track to a rendition. Before the first `feed`."""
        ...

    def feed(self, packet: Packet) -> None:
        """Take a packet of the film's sound; the last one is empty."""
        ...


def sound_of(film: Film, *, bit_rate: int, checkpoint: Callable[[], None]) -> Sound | None:
    """Return how to bring the film's sound along, None for a silent film.

    `checkpoint` is called while a long gap is filled.
    """
    if film.audio is None:
        return None
    if _copyable(film, film.audio):
        return CopiedSound(film.audio, film.zero)
    return EncodedSound(film.audio, film.zero, bit_rate, checkpoint)


def _copyable(film: Film, audio: AudioStream) -> bool:
    """Tell whether packets can be taken over: AAC-LC in at most two channels that every player knows.

    Only out of MP4 and QuickTime, whose audio clock counts samples: Matroska rounds times to milliseconds, and
    broadcasts carry sound with gaps.
    """
    return (
        "mov" in film.formats
        and audio.codec_context.name == "aac"
        and audio.profile == "LC"
        and audio.codec_context.channels <= _STEREO
        and bool(audio.codec_context.extradata)
        and audio.codec_context.sample_rate in _PLAIN_RATES
    )


class _Tracks:
    """The same sound in every rendition."""

    def __init__(self) -> None:
        self._tracks: list[tuple[OutputContainer, Stream]] = []

    def add(self, output: OutputContainer, track: Stream) -> None:
        self._tracks.append((output, track))

    def mux(self, packet: Packet) -> None:
        # All tracks share one time base, so that muxing, which converts a packet's times in place, changes them once.
        for output, track in self._tracks:
            packet.stream = track
            output.mux(packet)


class CopiedSound:
    """Takes the packets over as they are."""

    how = "copied"

    def __init__(self, source: AudioStream, zero: Fraction) -> None:
        self.end = Fraction(0)
        self._source = source
        self._zero = zero
        self._tracks = _Tracks()
        self._last: int | None = None

    def join(self, output: OutputContainer) -> None:
        """Add a track to a rendition."""
        self._tracks.add(output, output.add_stream_from_template(self._source))

    def feed(self, packet: Packet) -> None:
        """Put the packet into all renditions, counted from the film's beginning."""
        if packet.dts is None or packet.pts is None or not packet.size:
            return
        shift = round(self._zero / packet.time_base)
        packet.pts -= shift
        packet.dts -= shift
        if self._last is not None and packet.dts <= self._last:
            return
        self._last = packet.dts
        self.end = max(self.end, (packet.pts + (packet.duration or 0)) * packet.time_base)
        self._tracks.mux(packet)


class EncodedSound:
    """Decodes and encodes to AAC; gaps become silence and overlaps are cut, so that it stays with the picture."""

    how = "encoded"

    def __init__(self, source: AudioStream, zero: Fraction, bit_rate: int, checkpoint: Callable[[], None]) -> None:
        context = source.codec_context
        self.end = Fraction(0)
        self._zero = zero
        self._bit_rate = bit_rate
        self._checkpoint = checkpoint
        self._rate = context.sample_rate if context.sample_rate in _PLAIN_RATES else 48_000
        self._layout = "mono" if context.channels == 1 else "stereo"
        self._tracks = _Tracks()
        self._encoder: AudioStream | None = None
        self._graph: Graph | None = None
        self._kind: tuple[int, str, str] | None = None

    def join(self, output: OutputContainer) -> None:
        """Add a track to a rendition; the first one's encoder works for all."""
        track = output.add_stream("aac", rate=self._rate, layout=self._layout, bit_rate=self._bit_rate)
        self._encoder = self._encoder or track
        self._tracks.add(output, track)

    def feed(self, packet: Packet) -> None:
        """Decode the packet and put what the encoder makes of it into all renditions."""
        for decoded in self._decode(packet):
            for frame in self._placed(decoded):
                for ready in self._resample(frame):
                    self._encode(ready)
        if not packet.size:
            for ready in self._drain():
                self._encode(ready)
            self._encode(None)

    def _decode(self, packet: Packet) -> Iterator[AudioFrame]:
        try:
            for frame in packet.decode():
                assert isinstance(frame, AudioFrame)
                yield frame
        except FFmpegError:
            return  # a damaged packet leaves a gap, which becomes silence

    def _placed(self, frame: AudioFrame) -> Iterator[AudioFrame]:
        """Yield the frame with its time, after the silence between it and what came before."""
        ticks = frame.pts if frame.pts is not None else frame.dts
        time = self.end if ticks is None else ticks * (frame.time_base or 0) - self._zero
        if time - self.end > MAX_GAP:
            raise JobFailed(broken_clock(time - self.end))
        while time - self.end > _SMALL_GAP:
            self._checkpoint()
            silence = _silence(frame, round(_SMALL_GAP * frame.sample_rate))
            silence.pts = round(self.end * frame.sample_rate)
            self.end += _SMALL_GAP
            yield silence
        frame.time_base = Fraction(1, frame.sample_rate)
        frame.pts = round(time * frame.sample_rate)
        self.end = max(self.end, time + Fraction(frame.samples, frame.sample_rate))
        yield frame

    def _resample(self, frame: AudioFrame) -> Iterator[AudioFrame]:
        kind = (frame.sample_rate, frame.format.name, frame.layout.name)
        if self._graph is None or kind != self._kind:
            yield from self._drain()
            self._graph, self._kind = self._build(kind), kind
        self._graph.push(frame)
        yield from _pull(self._graph)

    def _drain(self) -> Iterator[AudioFrame]:
        if self._graph is not None:
            self._graph.push(None)
            yield from _pull(self._graph)
            self._graph = None

    def _build(self, kind: tuple[int, str, str]) -> Graph:
        rate, sample_format, layout = kind
        beginning = "" if self._kind else ":first_pts=0"
        source = f"sample_rate={rate}:sample_fmt={sample_format}:channel_layout={layout}:time_base=1/{rate}"
        graph = Graph()
        graph.link_nodes(
            graph.add("abuffer", source),
            graph.add("aresample", f"{self._rate}:async=1{beginning}"),
            graph.add("aformat", f"sample_fmts=fltp:sample_rates={self._rate}:channel_layouts={self._layout}"),
            graph.add("asetnsamples", f"n={_FRAME_SAMPLES}:p=0"),
            graph.add("abuffersink"),
        ).configure()
        return graph

    def _encode(self, frame: AudioFrame | None) -> None:
        assert self._encoder is not None, "join comes before feed"
        for packet in self._encoder.encode(frame):
            self._tracks.mux(packet)


def _pull(graph: Graph) -> Iterator[AudioFrame]:
    while True:
        try:
            frame = graph.pull()
        except (FilterNeedsInput, FilterDone):
            return
        assert isinstance(frame, AudioFrame)
        yield frame


def _silence(like: AudioFrame, samples: int) -> AudioFrame:
    frame = AudioFrame(format=like.format.name, layout=like.layout.name, samples=samples)
    # Unsigned 8 bit is the one format whose silence is not zero.
    nothing = b"\x80" if like.format.name.startswith("u8") else b"\0"
    for plane in frame.planes:
        plane.update(nothing * plane.buffer_size)
    frame.sample_rate = like.sample_rate
    frame.time_base = Fraction(1, like.sample_rate)
    return frame
