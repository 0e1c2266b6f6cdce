"""What `video.transcode` makes of good films."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import av
import pytest
from PIL import Image

from heavylift import JobCancelled
from heavylift_worker.jobs.video import TranscodeInput, transcoding
from heavylift_worker.jobs.video.picture import Size
from heavylift_worker.jobs.video.pipeline import run
from heavylift_worker.jobs.video.sample import make_sample
from tests.unit.worker.video import films
from tests.unit.worker.video.conftest import Transcode
from tests.unit.worker.video.films import BLACK, BLUE, RED, WHITE, Picture, plain
from tests.unit.worker.video.job_context import FolderContext


def test_renditions_are_h264_and_aac_mp4_of_the_sizes_asked_for(sample: Path, transcode: Transcode) -> None:
    done = transcode(sample, renditions=[240, 120, 60])
    for name, size in (("240p.mp4", (320, 240)), ("120p.mp4", (160, 120)), ("60p.mp4", (80, 60))):
        with av.open(str(done.path(name))) as film:
            video, audio = film.streams.video[0], film.streams.audio[0]
            assert (video.codec_context.name, audio.codec_context.name) == ("h264", "aac")
            assert (video.width, video.height, video.pix_fmt) == (*size, "yuv420p")
            assert film.duration == pytest.approx(2_000_000, abs=30_000)
    assert done.ctx.artifacts["60p.mp4"].content_type == "video/mp4"
    assert [each.frames for each in done.output.renditions] == [50, 50, 50]


def test_the_index_stands_in_front_so_that_a_film_plays_while_it_loads(sample: Path, transcode: Transcode) -> None:
    order = films.boxes(transcode(sample, renditions=[60]).largest)
    assert order.index("moov") < order.index("mdat")


def test_nothing_is_upscaled(sample: Path, transcode: Transcode) -> None:
    done = transcode(sample)
    assert [(each.name, each.width, each.height) for each in done.output.renditions] == [("240p.mp4", 320, 240)]


def test_the_probe_tells_what_the_film_is(sample: Path, transcode: Transcode) -> None:
    probe = transcode(sample, renditions=[60]).output.probe
    assert probe.size == sample.stat().st_size
    assert probe.duration_seconds == pytest.approx(2, abs=0.03)
    assert (probe.video.codec, probe.video.display_width, probe.video.display_height) == ("h264", 320, 240)
    assert (probe.video.frame_rate, probe.video.variable_frame_rate, probe.video.frames) == (25, False, 50)
    assert probe.audio is not None
    assert (probe.audio.codec, probe.audio.sample_rate, probe.audio.layout) == ("aac", 48_000, "stereo")
    assert [(each.type, each.codec) for each in probe.streams] == [("video", "h264"), ("audio", "aac")]


def test_seconds_per_stage_add_up(sample: Path, transcode: Transcode) -> None:
    stages = transcode(sample, renditions=[240]).output.stages.model_dump()
    assert list(stages) == ["probe", "transcode", "poster", "preview", "publish"]
    assert all(seconds > 0 for seconds in stages.values())


def test_progress_counts_the_film_s_own_seconds(
    sample: Path, transcode: Transcode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcoding, "REPORT_INTERVAL", 0)
    steps = transcode(sample, renditions=[60]).ctx.steps
    done = [step for step, total, _ in steps if total]
    assert all(earlier <= later for earlier, later in pairwise(done))
    assert max(later - earlier for earlier, later in pairwise(done)) < 0.5
    assert done[-1] == pytest.approx(2, abs=0.03)
    assert {round(total) for _, total, _ in steps if total} == {2}


def test_a_film_without_sound_works(tmp_path: Path, transcode: Transcode) -> None:
    film = tmp_path / "silent.mp4"
    make_sample(film, seconds=1, size=Size(64, 48), sound=False)
    done = transcode(film)
    assert (done.output.audio, done.output.probe.audio) == (None, None)
    with av.open(str(done.largest)) as rendition:
        assert len(rendition.streams.audio) == 0


@pytest.mark.parametrize(("suffix", "how"), [("mp4", "copied"), ("mkv", "encoded")])
def test_sound_stays_with_the_picture_even_after_a_long_pause(
    tmp_path: Path, transcode: Transcode, suffix: str, how: str
) -> None:
    # The film's clock begins at half a second; the renditions' at zero.
    pictures = [Picture(at, plain(WHITE if at >= 1900 else BLACK)) for at in range(500, 2500, 40)]
    film = films.write_film(tmp_path / f"flash.{suffix}", pictures, tone=(1.9, 2.5))
    done = transcode(film)
    assert done.output.audio == how
    assert films.first_bright_picture(done.largest) == pytest.approx(1.4, abs=0.005)
    # An AAC encoder lets the tone begin up to one frame (21 ms) soft.
    assert films.first_loud_sample(done.largest) == pytest.approx(1.4, abs=0.025)


def test_picture_and_sound_are_kept_to_their_ends(tmp_path: Path, transcode: Transcode) -> None:
    pictures = [Picture(at, plain(RED)) for at in range(0, 1000, 40)]
    film = films.write_film(tmp_path / "film.mkv", pictures, tone=(0, 1.024))
    done = transcode(film)
    assert len(films.picture_times(done.largest)) == 25
    assert films.sound_end(done.largest) == pytest.approx(films.sound_end(film), abs=0.005)


def test_a_recording_whose_clock_begins_late_is_not_taken_for_an_incomplete_one(
    tmp_path: Path, transcode: Transcode
) -> None:
    pictures = [Picture(at, plain(RED)) for at in range(60_000, 61_000, 40)]
    done = transcode(films.write_film(tmp_path / "late.mkv", pictures))
    assert films.picture_times(done.largest) == [at / 1000 for at in range(0, 1000, 40)]


def test_a_variable_frame_rate_keeps_every_picture_at_its_time(tmp_path: Path, transcode: Transcode) -> None:
    times = [0, 40, 80, 120, 400, 433, 466, 1000, 1900, 1940]
    film = films.write_film(tmp_path / "vfr.mp4", [Picture(at, plain(RED)) for at in times])
    done = transcode(film)
    assert films.picture_times(done.largest) == [at / 1000 for at in times]
    assert done.output.probe.video.variable_frame_rate


@pytest.mark.parametrize(
    ("rotation", "clockwise", "corner"), [(90, 270, "bottom left"), (-90, 90, "top right"), (180, 180, "bottom right")]
)
def test_rotation_is_applied_to_the_picture(
    tmp_path: Path, transcode: Transcode, rotation: int, clockwise: int, corner: str
) -> None:
    image = plain(BLUE, (96, 64))
    image.paste(RED, (0, 0, 48, 32))  # the stored picture's top left corner
    pictures = [Picture(at, image) for at in range(0, 400, 40)]
    done = transcode(films.write_film(tmp_path / "turned.mp4", pictures, rotation=rotation))
    poster = Image.open(done.path("poster.jpg"))
    assert done.output.probe.video.rotation == clockwise
    assert poster.size == ((96, 64) if rotation == 180 else (64, 96))
    y, x = corner.split()
    at = (5 if x == "left" else poster.width - 6, 5 if y == "top" else poster.height - 6)
    opposite = (poster.width - 1 - at[0], poster.height - 1 - at[1])
    assert (films.colour_at(poster, *at), films.colour_at(poster, *opposite)) == (RED, BLUE)


def test_the_poster_is_not_black_and_the_preview_follows_the_film(tmp_path: Path, transcode: Transcode) -> None:
    colours = {range(1000): BLACK, range(1000, 2000): RED, range(2000, 3000): BLUE}
    pictures = [Picture(at, plain(colour)) for times, colour in colours.items() for at in times[::40]]
    done = transcode(films.write_film(tmp_path / "three.mp4", pictures), preview={"frames": 3, "height": 24})
    assert done.output.poster is not None
    assert 1 <= done.output.poster.at_seconds < 2
    assert films.colour_at(Image.open(done.path("poster.jpg")), 32, 24) == RED
    strip = Image.open(done.path("preview.jpg"))
    assert strip.size == (96, 24)
    assert [films.colour_at(strip, x, 12) for x in (16, 48, 80)] == [BLACK, RED, BLUE]


def test_poster_and_preview_can_be_left_out(sample: Path, transcode: Transcode) -> None:
    done = transcode(sample, renditions=[60], poster=None, preview=None)
    assert (done.output.poster, done.output.preview) == (None, None)
    assert list(done.ctx.artifacts) == ["60p.mp4"]


def test_a_cancelled_job_stops_midway_and_closes_its_files(sample: Path, tmp_path: Path) -> None:
    def midway(ctx: FolderContext) -> bool:
        return any(message == "Transcoding" for _, _, message in ctx.steps)

    ctx = FolderContext(tmp_path / "job", cancel_when=midway)
    shutil.copyfile(sample, ctx.root / "film")
    with pytest.raises(JobCancelled):
        run(ctx, TranscodeInput(source="film"))
    assert [message for _, _, message in ctx.steps] == ["Looking at the film", "Transcoding"]
    assert not ctx.artifacts
    open_files = {descriptor.resolve() for descriptor in Path("/proc/self/fd").iterdir()}
    assert not [path for path in open_files if path.is_relative_to(tmp_path)]


def test_the_job_looks_for_a_cancel_with_every_picture(
    sample: Path, transcode: Transcode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcoding, "REPORT_INTERVAL", 0)
    done = transcode(sample, renditions=[120, 60], poster=None, preview=None)
    assert transcoding.REPORT_INTERVAL <= 0.2
    assert len(done.ctx.looks) > 2 * done.output.probe.video.frames


def test_the_job_looks_for_a_cancel_while_it_fills_a_pause_in_the_sound(
    tmp_path: Path, transcode: Transcode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcoding, "REPORT_INTERVAL", 1000)
    pictures = [Picture(at, plain(RED)) for at in (0, 40)]
    film = films.write_film(tmp_path / "pause.mkv", pictures, tone=(120, 120.5))
    assert len(transcode(film, poster=None, preview=None).ctx.looks) > 2 * 119
    assert films.first_loud_sample(tmp_path / "job" / "published" / "48p.mp4") == pytest.approx(120, abs=0.025)


def test_importing_the_job_type_does_not_load_ffmpeg() -> None:
    code = "import heavylift_worker.jobs.video, json, sys; print(json.dumps(sorted(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=30)
    assert not {"av", "PIL"} & set(json.loads(loaded.stdout))


def test_memory_does_not_grow_with_the_film(tmp_path: Path) -> None:
    def peak(seconds: int) -> int:
        film = tmp_path / f"{seconds}.mkv"
        make_sample(film, seconds=seconds, size=Size(320, 240))
        code = """
import resource, sys
from pathlib import Path
from heavylift_worker.jobs.video import TranscodeInput
from heavylift_worker.jobs.video.pipeline import run
from tests.unit.worker.video.job_context import FolderContext
film = Path(sys.argv[1])
ctx = FolderContext(film.with_suffix(""))
film.rename(ctx.root / "film")
run(ctx, TranscodeInput(source="film", renditions=[240], preset="ultrafast", threads=1))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
        command = [sys.executable, "-c", code, str(film)]
        return int(subprocess.run(command, check=True, capture_output=True, text=True, timeout=50).stdout)

    # The longer film's 1,100 more pictures would take 127 MB.
    assert peak(48) - peak(4) < 25_000
