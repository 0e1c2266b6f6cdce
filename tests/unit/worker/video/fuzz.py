"""Damages a film in many ways and puts each through the pipeline: `python -m tests.unit.worker.video.fuzz FILM ROUNDS`.

A process of its own, because what is looked for is FFmpeg taking the process down.
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

from heavylift import JobFailed
from heavylift_worker.jobs.video.models import Preset, TranscodeInput
from heavylift_worker.jobs.video.pipeline import run
from tests.unit.worker.video.job_context import FolderContext


def damage(film: bytes, luck: random.Random) -> bytes:
    """Return the film with bytes changed, a part cut out, or its end missing."""
    data = bytearray(film)
    match luck.randrange(4):
        case 0:
            for _ in range(luck.randint(1, 40)):
                data[luck.randrange(len(data))] = luck.randrange(256)
        case 1:  # headers and indexes stand at the ends
            for _ in range(luck.randint(1, 8)):
                position = luck.randrange(min(600, len(data)))
                data[position if luck.random() < 0.5 else -1 - position] = luck.choice((0, 1, 127, 128, 255))
        case 2:
            start = luck.randrange(len(data))
            del data[start : start + luck.randint(1, 2000)]
        case _:
            del data[luck.randrange(len(data)) :]
    return bytes(data)


def main(film: Path, rounds: int) -> None:
    """Print how the damaged films fared; leave with an exception if one did not end as a job should."""
    original, fared = film.read_bytes(), Counter[str]()
    for seed in range(rounds):
        print(f"seed {seed}", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory() as folder:
            ctx = FolderContext(Path(folder))
            (ctx.root / "film").write_bytes(damage(original, random.Random(seed)))
            try:
                run(ctx, TranscodeInput(source="film", renditions=[32], preset=Preset.ULTRAFAST, threads=1))
                fared["transcoded"] += 1
            except JobFailed:
                fared["refused"] += 1
    print(dict(fared))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
