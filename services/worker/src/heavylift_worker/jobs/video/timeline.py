"""When each picture is shown: the source's own timestamps, made fit for a file that begins at zero.

Frames are never counted: a variable frame rate stays what it is. Only what no player could show is mended: a missing
time, a time that does not move forward, and the clock of a broadcast that starts anew in the middle.
"""

from __future__ import annotations

from fractions import Fraction

from av.packet import Packet
from av.video.frame import VideoFrame

from heavylift import JobFailed
from heavylift_worker.jobs.video.film import broken_clock
from heavylift_worker.jobs.video.limits import MAX_GAP

BACKWARD_JUMP = Fraction(1)
"""Seconds a stream's decoding time may fall back before its clock counts as restarted (FFmpeg's reordering is less)."""

FORWARD_JUMP = Fraction(10)
"""Seconds its clock may jump ahead; FFmpeg's own threshold. Elsewhere a long pause is a long pause."""


class Restarts:
    """Bridges the jumps of broadcast clocks (MPEG-TS, MPEG-PS), for all streams alike so that they stay in sync."""

    def __init__(self) -> None:
        self._offset = Fraction(0)
        self._ends: dict[int, Fraction] = {}

    def mend(self, packet: Packet) -> None:
        """Shift the packet's times behind what the stream has shown so far."""
        if packet.dts is None:
            return
        time = packet.dts * packet.time_base + self._offset
        end = self._ends.get(packet.stream_index, time)
        if not end - BACKWARD_JUMP <= time <= end + FORWARD_JUMP:
            self._offset += end - time
            time = end
        ticks = round(self._offset / packet.time_base)
        packet.dts += ticks
        packet.pts = None if packet.pts is None else packet.pts + ticks
        self._ends[packet.stream_index] = time + (packet.duration or 0) * packet.time_base


class Timeline:
    """Gives decoded pictures their time and measures the film meanwhile."""

    def __init__(self, *, zero: Fraction, time_base: Fraction, usual: Fraction) -> None:
        self.time_base = time_base
        self.frames = 0
        self.first: Fraction | None = None
        self.end = Fraction(0)
        self._zero = zero
        self._usual = usual
        self._last = -1
        self._shortest: int | None = None
        self._longest = 0

    def place(self, frame: VideoFrame) -> bool:
        """Set the frame's time, counted from the film's beginning; False if another picture is shown at that time.

        Raises
        ------
        JobFailed
            The time is too far from the one before.

        """
        tick = self._tick(frame)
        if tick <= self._last:
            return False
        length = self._length(frame)
        pause = max(tick - max(0, self._last), length) * self.time_base
        if pause > MAX_GAP:
            raise JobFailed(broken_clock(pause))
        if self._last >= 0:
            step = tick - self._last
            self._shortest = step if self._shortest is None else min(step, self._shortest)
            self._longest = max(step, self._longest)
        frame.pts, frame.dts, frame.time_base = tick, None, self.time_base
        frame.duration = length
        self._last = tick
        self.frames += 1
        if self.first is None:
            self.first = tick * self.time_base
        self.end = max(self.end, (tick + length) * self.time_base)
        return True

    @property
    def variable(self) -> bool:
        """Tell whether the distance between pictures changes by more than clocks round."""
        shortest = self._shortest or 0
        rounding = max(2, float(Fraction(2, 1000) / self.time_base))
        return self._longest - shortest > rounding + shortest / 10

    @property
    def rate(self) -> float | None:
        """Return the average number of pictures a second."""
        length = self.end - (self.first or 0)
        return float(self.frames / length) if length > 0 else None

    def _tick(self, frame: VideoFrame) -> int:
        ticks = frame.pts if frame.pts is not None else frame.dts
        if ticks is None:
            return self._last + round(self._usual / self.time_base) if self._last >= 0 else 0
        return max(0, round((ticks * (frame.time_base or 0) - self._zero) / self.time_base))

    def _length(self, frame: VideoFrame) -> int:
        if frame.duration:
            return max(1, round(frame.duration * (frame.time_base or 0) / self.time_base))
        return max(1, round(self._usual / self.time_base))
