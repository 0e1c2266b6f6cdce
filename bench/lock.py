"""Resolve the peers' lock files anew, after a change of a `requirements-*.in`: `python -m bench.lock` (needs uv)."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from bench.environments import BENCH


def main() -> None:
    """Write one hash-pinned lock file beside each list of requirements."""
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if uv is None:
        sys.exit("uv is missing; `make lock` installs it into .venv")
    options = ["--universal", "--generate-hashes", "--no-header", "--no-annotate", "--python-version", "3.11"]
    for source in sorted(BENCH.glob("requirements-*.in")):
        lock = source.with_suffix(".lock")
        subprocess.run([uv, "pip", "compile", "--quiet", *options, str(source), "-o", str(lock)], check=True)


if __name__ == "__main__":
    main()
