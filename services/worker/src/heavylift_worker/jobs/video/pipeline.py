"""The stages of `video.transcode`, one after the other: probe, transcode, poster, preview, publish."""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from heavylift import JobContext
from heavylift_worker.jobs.video.film import Film, Opening, check_complete, look, open_film
from heavylift_worker.jobs.video.models import (
    Poster,
    Preview,
    Probe,
    Rendition,
    Stages,
    TranscodeInput,
    TranscodeOutput,
)
from heavylift_worker.jobs.video.picture import Pictures, Size, output_colour, plan_sizes
from heavylift_worker.jobs.video.poster import make_poster
from heavylift_worker.jobs.video.preview import make_preview
from heavylift_worker.jobs.video.probe import describe
from heavylift_worker.jobs.video.rendition import RenditionWriter, time_base_for
from heavylift_worker.jobs.video.sound import sound_of
from heavylift_worker.jobs.video.stills import open_stills
from heavylift_worker.jobs.video.timeline import Timeline
from heavylift_worker.jobs.video.transcoding import Transcoding

_UNKNOWN_RATE = Fraction(25)
"""Frames a second to plan with where the film names none; each picture's own time decides in the end."""

_PLAUSIBLE_RATES = (Fraction(1, 1000), Fraction(1000))
"""Frames a second, from slide shows to high-speed cameras; damaged headers name others, which x264 refuses."""

_CPU_LIMIT = Path("/sys/fs/cgroup/cpu.max")


@dataclass(frozen=True)
class _Transcoded:
    probe: Probe
    renditions: list[Rendition]
    audio: str | None

    @property
    def length(self) -> float:
        return self.probe.duration_seconds


def run(ctx: JobContext, order: TranscodeInput) -> TranscodeOutput:
    """Make everything that was ordered and hand it to the job's artifacts.

    Raises
    ------
    JobFailed
        The film cannot be transcoded; the sentence says why.
    JobCancelled
        Somebody asked to stop.

    """
    threads = order.threads or available_cores()
    stages = Stages()
    with _timed(stages, "probe"):
        source = ctx.input_file(order.source)
        ctx.progress(0, None, "Looking at the film")
        with open_film(source, threads=threads) as film:
            check_complete(film)
            opening = look(film, checkpoint=ctx.stop_if_cancelled)
    with _timed(stages, "transcode"), open_film(source, threads=threads) as film:
        film.zero = min(film.zero, film.zero if opening.at is None else opening.at)
        done = _transcode(ctx, order, film, opening, threads)
    with _timed(stages, "poster"):
        poster = _poster(ctx, order, done, threads)
    with _timed(stages, "preview"):
        preview = _preview(ctx, order, done, threads)
    with _timed(stages, "publish"):
        _publish(ctx, done, poster, preview)
    return TranscodeOutput(
        probe=done.probe,
        renditions=done.renditions,
        poster=poster,
        preview=preview,
        stages=stages,
        audio=done.audio,
        speed=round(done.length / max(stages.transcode, 0.001), 2),
    )


def available_cores() -> int:
    """Return how many cores this process may use: its CPU affinity, bounded by its container's CPU limit."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = _CPU_LIMIT.read_text().split()
    except (OSError, ValueError):
        return cores
    return cores if quota == "max" else max(1, min(cores, round(int(quota) / int(period))))


def _transcode(ctx: JobContext, order: TranscodeInput, film: Film, opening: Opening, threads: int) -> _Transcoded:
    sizes = plan_sizes(opening.display, order.renditions)
    rate = _planned_rate(film)
    time_base = time_base_for(film.video.time_base)
    colour = output_colour(opening.colour)
    with ExitStack() as files:
        writers = [
            files.enter_context(
                RenditionWriter(
                    ctx.workdir, size, order, rate=rate, time_base=time_base, colour=colour, threads=threads
                )
            )
            for size in sizes
        ]
        sound = sound_of(film, bit_rate=order.audio_bit_rate, checkpoint=ctx.stop_if_cancelled)
        if sound:
            for writer in writers:
                sound.join(writer.output)
        transcoding = Transcoding(
            ctx=ctx,
            film=film,
            pictures=Pictures(opening, sizes, time_base=time_base, threads=threads),
            renditions=writers,
            sound=sound,
            timeline=Timeline(zero=film.zero, time_base=time_base, usual=1 / rate),
        )
        transcoding.run()
        renditions = []
        for writer in writers:
            ctx.progress(float(transcoding.end), float(transcoding.end), f"Finishing {writer.path.name}")
            renditions.append(writer.finish(transcoding.end))
        return _Transcoded(describe(film, opening, transcoding), renditions, sound.how if sound else None)


def _planned_rate(film: Film) -> Fraction:
    slowest, fastest = _PLAUSIBLE_RATES
    named = (film.video.average_rate, film.video.guessed_rate)
    return next((rate for rate in named if rate and slowest <= rate <= fastest), _UNKNOWN_RATE)


def _poster(ctx: JobContext, order: TranscodeInput, done: _Transcoded, threads: int) -> Poster | None:
    if order.poster is None:
        return None
    ctx.progress(done.length, done.length, "Choosing the poster")
    largest = ctx.workdir / done.renditions[0].name
    with open_stills(largest, threads=threads, checkpoint=ctx.stop_if_cancelled) as stills:
        return make_poster(stills, ctx.workdir, order.poster, length=done.probe.video.duration_seconds)


def _preview(ctx: JobContext, order: TranscodeInput, done: _Transcoded, threads: int) -> Preview | None:
    options = order.preview
    if options is None:
        return None
    ctx.progress(done.length, done.length, "Making the preview")
    large_enough = [each for each in done.renditions if each.height >= options.height]
    source = large_enough[-1] if large_enough else done.renditions[0]
    with open_stills(ctx.workdir / source.name, threads=threads, checkpoint=ctx.stop_if_cancelled) as stills:
        size = Size(source.width, source.height)
        return make_preview(stills, ctx.workdir, options, size=size, length=done.probe.video.duration_seconds)


def _publish(ctx: JobContext, done: _Transcoded, poster: Poster | None, preview: Preview | None) -> None:
    pictures = [each for each in (poster, preview) if each]
    for name, content_type in (
        *((each.name, "video/mp4") for each in done.renditions),
        *((each.name, "image/jpeg") for each in pictures),
    ):
        ctx.progress(done.length, done.length, f"Publishing {name}")
        ctx.artifact(name, ctx.workdir / name, content_type=content_type)


@contextmanager
def _timed(stages: Stages, stage: str) -> Generator[None]:
    start = time.monotonic()
    yield
    setattr(stages, stage, round(time.monotonic() - start, 3))
