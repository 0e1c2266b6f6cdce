"""The one pass over the film: demux, decode once, feed every rendition, and never hold more than a few pictures.

Memory is bounded because every step hands its frames on before it takes the next packet.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from av.error import FFmpegError
from av.format import Flags
from av.packet import Packet
from av.video.frame import VideoFrame

from heavylift import JobContext, JobFailed
from heavylift_worker.jobs.video.film import NO_PICTURE, Film, duration, incomplete
from heavylift_worker.jobs.video.limits import DURATION_SLACK, DURATION_TOLERANCE, MAX_DAMAGED_SHARE
from heavylift_worker.jobs.video.picture import Pictures
from heavylift_worker.jobs.video.rendition import RenditionWriter
from heavylift_worker.jobs.video.sound import Sound
from heavylift_worker.jobs.video.timeline import Restarts, Timeline

REPORT_INTERVAL = 0.1
"""Seconds between two looks at the job's state: a cancel is seen at once, and progress moves smoothly."""


@dataclass
class Transcoding:
    """The pass; afterwards `timeline` and `sound` tell what was found."""

    ctx: JobContext
    film: Film
    pictures: Pictures
    renditions: Sequence[RenditionWriter]
    sound: Sound | None
    timeline: Timeline
    damaged: int = 0
    """Packets of the picture that could not be decoded."""
    other_end: Fraction = Fraction(0)
    """Seconds; where the streams that are not used end. Headers count them."""
    _reported: float = field(default=0.0, init=False)

    def run(self) -> None:
        """Read the film to its end.

        Raises
        ------
        JobFailed
            It is damaged or ends before it should.
        JobCancelled
            Somebody asked to stop.

        """
        restarts = Restarts() if Flags.ts_discont.value & self.film.container.format.flags else None
        for packet in self._packets():
            if restarts:
                restarts.mend(packet)
            self._take(packet)
            self._report()
        self._encode(self.pictures.finish())
        for rendition in self.renditions:
            rendition.flush(self._report)
        self._judge()

    @property
    def end(self) -> Fraction:
        """Seconds; where what was read of the film so far ends."""
        return max(self.timeline.end, self.sound.end if self.sound else Fraction(0))

    def _packets(self) -> Iterator[Packet]:
        packets = self.film.container.demux()
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except FFmpegError as error:
                raise JobFailed(_damaged(f"reading stopped after {duration(float(self.end))}")) from error
            yield packet

    def _take(self, packet: Packet) -> None:
        # Not packet.stream_index: it is 0 for the empty packets that end each stream.
        index = packet.stream.index
        if index == self.film.video.index:
            for frame in self._decode(packet):
                if self.timeline.place(frame):
                    self._encode(self.pictures.feed(frame))
        elif self.sound and self.film.audio and index == self.film.audio.index:
            self.sound.feed(packet)
        elif packet.pts is not None:
            end = (packet.pts + (packet.duration or 0)) * packet.time_base - self.film.zero
            self.other_end = max(self.other_end, end)

    def _encode(self, frames: Iterator[tuple[int, VideoFrame]]) -> None:
        for index, frame in frames:
            self.renditions[index].encode(frame)
            self._report()

    def _decode(self, packet: Packet) -> Iterator[VideoFrame]:
        try:
            for frame in packet.decode():
                assert isinstance(frame, VideoFrame)
                yield frame
        except FFmpegError:
            self.damaged += 1  # the decoder goes on at the next key frame, and _judge looks at the sum

    def _report(self) -> None:
        now = time.monotonic()
        if now - self._reported < REPORT_INTERVAL:
            return
        self._reported = now
        total = self.film.declared_seconds
        done = float(self.end)
        # A header may say less than there is: then the film is as long as what was read of it.
        total = max(total, done) if total else None
        self.ctx.progress(done, total, "Transcoding")

    def _judge(self) -> None:
        if not self.timeline.frames:
            raise JobFailed(NO_PICTURE)
        if self.damaged > MAX_DAMAGED_SHARE * (self.damaged + self.timeline.frames):
            raise JobFailed(_damaged(f"{self.damaged} of its pictures cannot be decoded"))
        declared = self.film.declared_seconds
        if not declared or not self.film.announces_duration:
            return
        readable = float(max(self.end, self.other_end))
        # Some containers count a film's length from its beginning, some from zero on their clock.
        if readable + max(0.0, float(self.film.zero)) < declared - max(DURATION_SLACK, DURATION_TOLERANCE * declared):
            raise JobFailed(incomplete(readable, declared))


def _damaged(how: str) -> str:
    return f"The film is damaged: {how}. Export or upload it again."
