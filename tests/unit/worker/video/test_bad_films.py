"""Every bad film is refused with a sentence that its owner understands."""

from __future__ import annotations

import random
import re
import struct
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import pytest

from heavylift import JobFailed
from heavylift_worker.jobs.video.picture import Size
from heavylift_worker.jobs.video.sample import make_sample
from tests.unit.worker.video import films
from tests.unit.worker.video.conftest import Transcode


def test_an_empty_file(tmp_path: Path, transcode: Transcode) -> None:
    film = tmp_path / "empty.mp4"
    film.touch()
    with pytest.raises(JobFailed, match=r"^The file is empty \(zero bytes\)"):
        transcode(film)


@pytest.mark.parametrize(
    "content",
    [
        b"Dear diary, this is not a film.\n" * 50,
        random.Random(1).randbytes(20_000),
        b"#EXTM3U\nhttp://localhost/a.ts\n",
    ],
    ids=["text", "noise", "playlist"],
)
def test_something_that_is_not_a_film(tmp_path: Path, transcode: Transcode, content: bytes) -> None:
    film = tmp_path / "film.mp4"
    film.write_bytes(content)
    with pytest.raises(JobFailed, match=r"^The file is not a film that can be read\."):
        transcode(film)


def test_a_recording_of_sound_only(tmp_path: Path, transcode: Transcode) -> None:
    film = tmp_path / "sound.mp4"
    with av.open(str(film), "w") as output:
        audio = output.add_stream("aac", rate=films.SAMPLE_RATE, layout="mono")
        for frame in films.square_wave(0, 0.5):
            output.mux(audio.encode(frame))
        output.mux(audio.encode(None))
    with pytest.raises(JobFailed, match=r"^The file has sound only and no picture"):
        transcode(film)


def test_pictures_of_10_000_pixels(tmp_path: Path, transcode: Transcode) -> None:
    film = tmp_path / "wide.mkv"
    with av.open(str(film), "w") as output:
        video = output.add_stream("ffv1", rate=1)
        video.width, video.height, video.pix_fmt = 10_000, 16, "yuv420p"
        frame = av.VideoFrame(10_000, 16, "yuv420p")
        frame.pts, frame.time_base = 0, Fraction(1)
        output.mux([*video.encode(frame), *video.encode(None)])
    with pytest.raises(JobFailed, match=r"^The film's pictures are 10000 x 16 pixels; at most 8192 to a side"):
        transcode(film)


def make_film(folder: Path, suffix: str) -> Path:
    pictures = [films.Picture(at, films.plain((at % 256, at // 40, 99))) for at in range(0, 4000, 40)]
    return films.write_film(folder / f"film.{suffix}", pictures, tone=(0, 4))


def cut(film: Path, share: float = 0.5) -> Path:
    data = film.read_bytes()
    film.write_bytes(data[: int(len(data) * share)])
    return film


def test_an_mp4_cut_before_its_index(tmp_path: Path, transcode: Transcode) -> None:
    with pytest.raises(JobFailed, match=r"^The film is incomplete: its index.* is missing\."):
        transcode(cut(make_film(tmp_path, "mp4")))


def test_an_mp4_cut_after_its_index_is_refused_before_it_is_transcoded(tmp_path: Path, transcode: Transcode) -> None:
    sample = tmp_path / "sample.mp4"
    make_sample(sample, seconds=4, size=Size(64, 48))
    whole = transcode(sample)
    whole.ctx.steps.clear()
    with pytest.raises(JobFailed, match=r"^The film is incomplete: it says it lasts 4\.0 s, but only [12]\.\d s could"):
        transcode(cut(whole.largest))
    assert [message for _, _, message in whole.ctx.steps] == ["Looking at the film"]


def test_a_cut_matroska_film(tmp_path: Path, transcode: Transcode) -> None:
    film = tmp_path / "film.mkv"
    make_sample(film, seconds=4, size=Size(64, 48))
    with pytest.raises(JobFailed, match=r"^The film is incomplete: it says it lasts 4\.0 s, but only [12]\.\d s could"):
        transcode(cut(film))


def test_a_cut_avi_film(tmp_path: Path, transcode: Transcode) -> None:
    film = tmp_path / "film.avi"
    make_sample(film, seconds=2, size=Size(64, 48))
    with pytest.raises(JobFailed, match=r"^The film is incomplete: its header speaks of [\d,]+ bytes"):
        transcode(cut(film, 0.8))


def declare(film: Path, seconds: int) -> Path:
    """Let a film's container tell another duration than it has."""
    data = bytearray(film.read_bytes())
    if film.suffix == ".mkv":
        place = re.search(rb"\x44\x89\x88", data)  # Segment/Info/Duration, a double in milliseconds
        assert place is not None
        struct.pack_into(">d", data, place.end(), seconds * 1000)
    for box, skip in (("mvhd", 12), ("mdhd", 12), ("tkhd", 20), ("elst", 8)) if film.suffix == ".mp4" else ():
        for place in re.finditer(box.encode(), data):
            scale = struct.unpack_from(">I", data, place.end() + 12)[0] if box in ("mvhd", "mdhd") else 1000
            struct.pack_into(">I", data, place.end() + skip + 4 * (box in ("mvhd", "mdhd")), seconds * scale)
    film.write_bytes(data)
    return film


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_container_that_promises_more_than_there_is(tmp_path: Path, transcode: Transcode, suffix: str) -> None:
    film = tmp_path / f"film.{suffix}"
    make_sample(film, seconds=2, size=Size(64, 48))
    with pytest.raises(JobFailed, match=r"^The film is incomplete: it says it lasts 1:30:00, but only 2\.0 s could be"):
        transcode(declare(film, 5400))


def test_a_film_longer_than_its_container_says_is_transcoded_whole(tmp_path: Path, transcode: Transcode) -> None:
    film = tmp_path / "film.mkv"
    make_sample(film, seconds=3, size=Size(64, 48))
    probe = transcode(declare(film, 1)).output.probe
    assert (round(probe.declared_duration_seconds or 0), round(probe.duration_seconds)) == (1, 3)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi"])
def test_damaged_films_never_take_the_process_down(tmp_path: Path, suffix: str) -> None:
    film = tmp_path / f"film.{suffix}"
    make_sample(film, seconds=0.6, size=Size(64, 48), rate=10)
    command = [sys.executable, "-m", "tests.unit.worker.video.fuzz", str(film), "40"]
    fuzz = subprocess.run(command, check=False, capture_output=True, text=True, timeout=50)
    assert fuzz.returncode == 0, fuzz.stderr[-3000:]
    assert "refused" in fuzz.stdout
    assert "transcoded" in fuzz.stdout
