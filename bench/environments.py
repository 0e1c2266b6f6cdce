"""The peers' Python environments: one each, under `bench/.envs`, from hash-pinned lock files.

They cannot share one: arq needs redis-py below 6, taskiq-redis needs 7. Stock Celery runs in our own environment, with
the Celery, kombu and redis-py that Heavylift itself uses.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import venv
from pathlib import Path

BENCH = Path(__file__).parent
ENVIRONMENTS = BENCH / ".envs"
OWN = "own"
"""Heavylift's own environment."""


def python_of(name: str) -> str:
    """Return the interpreter of an environment, made or renewed if its lock file has changed since."""
    if name == OWN:
        return sys.executable
    folder, lock = ENVIRONMENTS / name, BENCH / f"requirements-{name}.lock"
    interpreter, mark = folder / "bin" / "python", folder / ".lock-sha256"
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    if not mark.exists() or mark.read_text() != wanted:
        print(f"Installing {name} into {folder.relative_to(BENCH.parent)} …", flush=True)
        venv.create(folder, clear=True, with_pip=False)
        pip = [sys.executable, "-m", "pip", "--python", str(interpreter), "install", "--quiet"]
        safe = ["--disable-pip-version-check", "--only-binary", ":all:", "--require-hashes"]
        subprocess.run([*pip, *safe, "-r", str(lock)], check=True, timeout=600)
        mark.write_text(wanted)
    return str(interpreter)


def versions_in(lock: Path) -> dict[str, str]:
    """Return what a lock file pins: name -> version."""
    pins = (line.split(" ")[0].partition("==") for line in lock.read_text().splitlines() if "==" in line)
    return {name: version for name, _, version in pins}
