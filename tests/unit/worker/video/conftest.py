"""Films to transcode and a job to do it in."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from heavylift_worker.jobs.video import TranscodeInput, TranscodeOutput
from heavylift_worker.jobs.video.picture import Size
from heavylift_worker.jobs.video.pipeline import run
from heavylift_worker.jobs.video.sample import make_sample
from tests.unit.worker.video.job_context import FolderContext


@dataclass(frozen=True)
class Done:
    """A job that succeeded."""

    ctx: FolderContext
    output: TranscodeOutput

    def path(self, name: str) -> Path:
        return self.ctx.published / name

    @property
    def largest(self) -> Path:
        return self.path(self.output.renditions[0].name)


Transcode = Callable[..., Done]


@pytest.fixture
def ctx(tmp_path: Path) -> FolderContext:
    return FolderContext(tmp_path / "job")


@pytest.fixture
def transcode(ctx: FolderContext) -> Transcode:
    """Run the job over a film: `transcode(path, renditions=[48])`."""

    def transcode(film: Path, **order: object) -> Done:
        shutil.copyfile(film, ctx.root / film.name)
        options = {"source": film.name, "preset": "ultrafast", **order}
        return Done(ctx, run(ctx, TranscodeInput.model_validate(options)))

    return transcode


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of 320 x 240 with a tone, as MP4."""
    path = tmp_path_factory.mktemp("films") / "sample.mp4"
    make_sample(path, seconds=2, size=Size(320, 240))
    return path
