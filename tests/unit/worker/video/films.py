"""Films for the tests, made on the spot, and ways to look at what became of them."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.audio.frame import AudioFrame
from PIL import Image

SAMPLE_RATE = 48_000
BLACK, WHITE, RED, BLUE = (0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 0, 255)
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Picture:
    """One picture of a film: when it is shown, in milliseconds, and what."""

    at: int
    image: Image.Image


def plain(colour: Colour, size: tuple[int, int] = (64, 48)) -> Image.Image:
    return Image.new("RGB", size, colour)


def write_film(
    path: Path, pictures: Iterable[Picture], *, tone: tuple[float, float] | None = None, rotation: int = 0
) -> Path:
    """Write pictures at their times, and a loud tone from one second to another; before it there is no sound at all."""
    pictures = list(pictures)
    with av.open(str(path), "w") as output:
        video = output.add_stream("libx264", rate=25, options={"preset": "ultrafast", "crf": "10"})
        video.width, video.height = pictures[0].image.size
        video.pix_fmt, video.codec_context.time_base = "yuv420p", Fraction(1, 1000)
        if rotation:
            video.set_display_rotation(rotation)
        audio = output.add_stream("aac", rate=SAMPLE_RATE, layout="mono") if tone else None
        for picture in pictures:
            frame = av.VideoFrame.from_image(picture.image)
            frame.pts, frame.time_base = picture.at, Fraction(1, 1000)
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
        if audio and tone:
            for frame in square_wave(*tone):
                output.mux(audio.encode(frame))
            output.mux(audio.encode(None))
    return path


def square_wave(start: float, end: float) -> Iterable[AudioFrame]:
    for first in range(round(start * SAMPLE_RATE), round(end * SAMPLE_RATE), 1024):
        frame = AudioFrame(format="fltp", layout="mono", samples=1024)
        frame.planes[0].update(b"".join(struct.pack("<f", 0.8 if n // 50 % 2 else -0.8) for n in range(1024)))
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, first, Fraction(1, SAMPLE_RATE)
        yield frame


def boxes(path: Path) -> list[str]:
    """Return the names of an MP4's outermost boxes, in order."""
    data, names, position = path.read_bytes(), [], 0
    while position < len(data):
        size, name = struct.unpack_from(">I4s", data, position)
        names.append(name.decode())
        position += size
    return names


def picture_times(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [round(frame.time, 3) for frame in container.decode(video=0) if frame.time is not None]


def sound_end(path: Path) -> float:
    with av.open(str(path)) as container:
        *_, last = container.decode(audio=0)
        assert last.time is not None
        return last.time + last.samples / last.sample_rate


def first_bright_picture(path: Path) -> float:
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            pixel = frame.to_image().convert("L").getpixel((frame.width // 2, frame.height // 2))
            if isinstance(pixel, int) and pixel > 128 and frame.time is not None:
                return frame.time
    raise AssertionError(f"{path.name} has no bright picture")


def first_loud_sample(path: Path) -> float:
    resampler = av.AudioResampler(format="flt", layout="mono")
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            for ready in resampler.resample(frame):
                samples = memoryview(bytes(ready.planes[0])[: ready.samples * 4]).cast("f")
                loud = next((index for index, sample in enumerate(samples) if abs(sample) > 0.4), None)
                if loud is not None and frame.time is not None:
                    return frame.time + loud / ready.sample_rate
    raise AssertionError(f"{path.name} has no loud sample")


def colour_at(image: Image.Image, x: int, y: int) -> Colour:
    pixel = image.convert("RGB").getpixel((x, y))
    assert isinstance(pixel, tuple)
    red, green, blue = (255 if part > 127 else 0 for part in pixel)
    return red, green, blue
