"""What goes into `video.transcode` and what comes out."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Height = Annotated[int, Field(ge=16, le=4320, description="Height in pixels of the upright picture.")]


class Preset(StrEnum):
    """How hard x264 works: each step down the list costs about a quarter more time for smaller files."""

    ULTRAFAST = "ultrafast"
    SUPERFAST = "superfast"
    VERYFAST = "veryfast"
    FASTER = "faster"
    FAST = "fast"
    MEDIUM = "medium"
    SLOW = "slow"


class PosterOptions(BaseModel):
    """The still picture that stands for the film."""

    model_config = ConfigDict(extra="forbid")

    at_seconds: float | None = Field(default=None, ge=0, le=604_800)
    """Where to take it; None looks for the first picture that is not black, from a tenth of the film on."""
    quality: int = Field(default=85, ge=1, le=95)
    """JPEG quality."""


class PreviewOptions(BaseModel):
    """Small pictures at even distances, side by side in one JPEG, for hovering over a seek bar."""

    model_config = ConfigDict(extra="forbid")

    frames: int = Field(default=10, ge=1, le=100)
    height: int = Field(default=90, ge=16, le=240)
    """Pixels. The strip holds fewer frames where they would not fit in 16,384 pixels of width."""
    quality: int = Field(default=75, ge=1, le=95)
    """JPEG quality."""


class TranscodeInput(BaseModel):
    """A film and what to make of it."""

    model_config = ConfigDict(extra="forbid")

    source: str = Field(min_length=1, max_length=1024)
    """Key of the film in artifact storage."""
    renditions: list[Height] = Field(default=[720, 480, 240], min_length=1, max_length=8)
    """Heights to make. Never upscaled: a height above the film's own becomes the film's own, once."""
    quality: int = Field(default=23, ge=10, le=40)
    """x264's constant rate factor: lower is better and larger; 18 is hard to tell from the source."""
    preset: Preset = Preset.VERYFAST
    audio_bit_rate: int = Field(default=128_000, ge=32_000, le=320_000)
    """Bits a second, where the sound is not AAC already."""
    threads: int = Field(default=0, ge=0, le=64)
    """Threads of each decoder and encoder; 0 is one for each core the worker may use."""
    poster: PosterOptions | None = PosterOptions()
    preview: PreviewOptions | None = PreviewOptions()


class StreamProbe(BaseModel):
    """One stream of the container, used or not."""

    index: int
    type: str
    codec: str | None
    language: str | None = None


class VideoProbe(BaseModel):
    """The film's picture."""

    codec: str
    profile: str | None
    pixel_format: str
    coded_width: int
    """Pixels as stored, before shape and rotation are applied."""
    coded_height: int
    display_width: int
    """Square pixels as a player shows them, upright."""
    display_height: int
    sample_aspect_ratio: str
    rotation: int
    """Degrees clockwise that a player turns the stored picture: 0, 90, 180 or 270."""
    mirrored: bool
    interlaced: bool
    hdr: bool
    frame_rate: float | None
    """Frames a second, the average over the whole film."""
    variable_frame_rate: bool
    frames: int
    duration_seconds: float
    start_seconds: float
    """When the picture begins, counted from the beginning of the film."""


class AudioProbe(BaseModel):
    """The film's sound."""

    codec: str
    profile: str | None
    sample_rate: int
    channels: int
    layout: str
    start_seconds: float
    """When the sound begins, counted from the beginning of the film."""


class Probe(BaseModel):
    """What the film is: from its header, and measured while it was read to its end."""

    container: str
    size: int
    """Bytes."""
    duration_seconds: float
    """Measured."""
    declared_duration_seconds: float | None
    """What the header says."""
    video: VideoProbe
    audio: AudioProbe | None
    streams: list[StreamProbe]


class Rendition(BaseModel):
    """One finished film; `name` is its artifact."""

    name: str
    width: int
    height: int
    size: int
    """Bytes."""
    bit_rate: int
    """Bits a second over everything in the file."""
    duration_seconds: float
    frames: int


class Poster(BaseModel):
    """The finished poster; `name` is its artifact."""

    name: str
    width: int
    height: int
    at_seconds: float


class Preview(BaseModel):
    """The finished preview strip; `name` is its artifact. Frame `i` begins at `i * tile_width`."""

    name: str
    width: int
    height: int
    tile_width: int
    at_seconds: list[float]


class Stages(BaseModel):
    """Seconds each stage took."""

    probe: float = 0
    transcode: float = 0
    poster: float = 0
    preview: float = 0
    publish: float = 0
    """Handing the files to artifact storage."""


class TranscodeOutput(BaseModel):
    """Everything that was made, and how."""

    probe: Probe
    renditions: list[Rendition]
    poster: Poster | None
    preview: Preview | None
    stages: Stages
    audio: str | None
    """`copied`, `encoded`, or None for a silent film."""
    speed: float
    """Seconds of film transcoded a second."""
