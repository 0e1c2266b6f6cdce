"""The probe: what the film is, by its header, its first picture and the pass over it."""

from __future__ import annotations

from fractions import Fraction

from av.stream import Stream

from heavylift_worker.jobs.video.film import Film, Opening
from heavylift_worker.jobs.video.models import AudioProbe, Probe, StreamProbe, VideoProbe
from heavylift_worker.jobs.video.transcoding import Transcoding


def describe(film: Film, opening: Opening, found: Transcoding) -> Probe:
    """Return what the film is, after the pass over it."""
    return Probe(
        container=film.container.format.name,
        size=film.size,
        duration_seconds=_seconds(found.end),
        declared_duration_seconds=film.declared_seconds,
        video=_video(film, opening, found),
        audio=_audio(film),
        streams=[_stream(stream) for stream in film.container.streams],
    )


def _video(film: Film, opening: Opening, found: Transcoding) -> VideoProbe:
    width, height = opening.display
    timeline = found.timeline
    first = timeline.first or Fraction(0)
    return VideoProbe(
        codec=film.video.codec_context.name,
        profile=film.video.codec_context.profile,
        pixel_format=opening.pixel_format,
        coded_width=opening.width,
        coded_height=opening.height,
        display_width=round(width),
        display_height=round(height),
        sample_aspect_ratio=f"{opening.shape.numerator}:{opening.shape.denominator}",
        rotation=opening.orientation.rotation,
        mirrored=opening.orientation.mirrored,
        interlaced=opening.interlaced,
        hdr=opening.colour.hdr,
        frame_rate=timeline.rate,
        variable_frame_rate=timeline.variable,
        frames=timeline.frames,
        duration_seconds=_seconds(timeline.end - first),
        start_seconds=_seconds(first),
    )


def _audio(film: Film) -> AudioProbe | None:
    if film.audio is None:
        return None
    context = film.audio.codec_context
    start = (film.audio.start_time or 0) * (film.audio.time_base or 0) - film.zero
    return AudioProbe(
        codec=context.name,
        profile=context.profile,
        sample_rate=context.sample_rate,
        channels=context.channels,
        layout=context.layout.name,
        start_seconds=_seconds(start),
    )


def _stream(stream: Stream) -> StreamProbe:
    codec = stream.codec_context.name if stream.codec_context else None
    return StreamProbe(index=stream.index, type=stream.type, codec=codec, language=stream.language)


def _seconds(time: Fraction) -> float:
    return round(float(time), 3)
