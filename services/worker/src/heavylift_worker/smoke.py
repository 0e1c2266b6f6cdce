"""Try a whole installation out: send a film of one second in, take the transcoded one out, and look at it.

Run as `python -m heavylift_worker.smoke`, as `helm test` does. Exit code 0: it works; 1: it does not, and the last line
says why; 2: a setting is wrong.
"""

from __future__ import annotations

import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import av
from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from heavylift.client import ApiUnavailable, ApiUnreachable, Client, JobView, Refused
from heavylift.errors import ConfigurationError, HeavyliftError
from heavylift.settings import Duration, load
from heavylift_worker.jobs.video.models import TranscodeOutput
from heavylift_worker.jobs.video.picture import Size
from heavylift_worker.jobs.video.sample import make_sample

RATE = 25
SIZE = Size(320, 180)
HEIGHT = 90
"""Half of it: a rendition that is only copied would not show that anything was done."""

RETRY_SECONDS = 1.0


class SmokeFailed(HeavyliftError):  # noqa: N818 - as the library's errors are named
    """The installation does not do what it should."""


class SmokeSettings(BaseSettings):
    """Where the API is, and how long the test may take."""

    model_config = SettingsConfigDict(env_prefix="HEAVYLIFT_", extra="ignore", hide_input_in_errors=True)

    url: str = "http://127.0.0.1:8000"
    """The API's address."""

    api_key: str = Field(default="", repr=False)
    """The key to send."""

    api_key_file: Path | None = None
    """A file with the key, as a mounted Secret has it; goes before `HEAVYLIFT_API_KEY`."""

    smoke_timeout: Duration = timedelta(minutes=4)
    """How long all of it may take: the first worker may have to start for it."""

    def key(self) -> str | None:
        """Return the key to send. Raises ConfigurationError."""
        if self.api_key_file is None:
            return self.api_key or None
        try:
            return self.api_key_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"HEAVYLIFT_API_KEY_FILE: {self.api_key_file}: {error}") from None


def main() -> int:
    """Run the test; returns the exit code."""
    try:
        settings = load(SmokeSettings)
        deadline = time.monotonic() + settings.smoke_timeout.total_seconds()
        with tempfile.TemporaryDirectory() as folder, Client(settings.url, settings.key()) as client:
            _try_out(client, Path(folder), deadline)
    except ConfigurationError as error:
        print(f"heavylift-smoke: {error}", file=sys.stderr)  # noqa: T201
        return 2
    except (HeavyliftError, OSError, av.FFmpegError) as error:
        _say(f"FAILED: {error}")
        return 1
    _say("It works.")
    return 0


def _try_out(client: Client, folder: Path, deadline: float) -> None:
    film = folder / "smoke.mp4"
    make_sample(film, seconds=1, size=SIZE, rate=RATE)
    _say(f"film    1 s, {SIZE.width}x{SIZE.height}, {film.stat().st_size} bytes")
    began = time.monotonic()
    job = _submit(client, film, deadline)
    _say(f"job     {job.id}")
    job = client.wait(job.id, timeout=max(0.0, deadline - time.monotonic()))
    if job.status != "succeeded":
        raise SmokeFailed(f"the job is {job.status}: {job.error.message if job.error else 'without an error'}")
    rendition = _check_output(job)
    _check_film(client.download(job.id, rendition, folder / "rendition.mp4"))
    worker = job.attempts[-1].worker if job.attempts else "?"
    _say(f"result  {rendition}, by {worker}, {time.monotonic() - began:.1f} s after the upload began")


def _submit(client: Client, film: Path, deadline: float) -> JobView:
    """Upload the film, again and again while the API or the first worker may still be starting."""
    while True:
        try:
            return client.upload(film, job_input={"renditions": [HEIGHT]})
        except (ApiUnreachable, ApiUnavailable, Refused) as error:
            unknown = isinstance(error, Refused) and error.problem.type.endswith(":unknown-job-type")
            if (isinstance(error, Refused) and not unknown) or time.monotonic() + RETRY_SECONDS > deadline:
                raise
            _say(f"waiting {error}")
            time.sleep(RETRY_SECONDS)


def _check_output(job: JobView) -> str:
    """Return the rendition's name."""
    try:
        output = TranscodeOutput.model_validate(job.output)
    except ValidationError as error:
        raise SmokeFailed(f"the job's output is not one of video.transcode: {error}") from error
    names = {artifact.name for artifact in job.outputs}
    made = [(each.height, each.frames) for each in output.renditions]
    if made != [(HEIGHT, RATE)] or output.audio is None:
        raise SmokeFailed(f"the job made {made} (height, frames), sound {output.audio}; not one of {HEIGHT} with sound")
    wanted = {output.renditions[0].name, *(each.name for each in (output.poster, output.preview) if each)}
    if missing := wanted - names:
        raise SmokeFailed(f"the job has no artifact {', '.join(sorted(missing))}; it has {', '.join(sorted(names))}")
    return output.renditions[0].name


def _check_film(path: Path) -> None:
    with av.open(str(path)) as film:
        frames = [(frame.width, frame.height) for frame in film.decode(video=0)]
    expected = [(SIZE.width * HEIGHT // SIZE.height, HEIGHT)] * RATE
    if frames != expected:
        raise SmokeFailed(f"the film that came back has {len(frames)} frames of {set(frames)}, not {expected[0]}")


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - what the command is for


if __name__ == "__main__":
    sys.exit(main())
