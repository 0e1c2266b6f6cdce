"""Containers of the project's images under measurement, confined as the chart's pods are."""

from __future__ import annotations

import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.environments import BENCH
from bench.processes import LeftOut, run, wait_until
from heavylift.dev.ports import HOST

CONFINED = ("--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--network=host")
BUILD_SECONDS = 1200
SECONDS = 60
"""Bound of one `docker` command, and of a container's becoming ready."""
LABEL = "org.opencontainers.image.base.name"


class Container:
    """A container that is made, but not yet started; to be used in a `with` block."""

    def __init__(
        self, image: str, *command: str, env: Mapping[str, str], folders: Sequence[Path] = (), entrypoint: str = ""
    ) -> None:
        options = [f"--env={name}={value}" for name, value in env.items()]
        options += [f"--volume={folder}:{folder}" for folder in folders]
        options += [f"--entrypoint={entrypoint}"] if entrypoint else []
        self._id = docker("create", *CONFINED, *options, image, *command).strip()
        self._starting: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Container:
        return self

    def __exit__(self, *_: object) -> None:
        if self._starting:
            self._starting.wait(SECONDS)
        docker("rm", "--force", "--volumes", self._id)

    def start(self) -> float:
        """Start it, without waiting for the engine, and return when (CLOCK_MONOTONIC)."""
        began = time.monotonic()
        self._starting = subprocess.Popen(["docker", "start", self._id], stdout=subprocess.DEVNULL)
        return began

    def printed(self) -> str:
        """Wait for its end and return what it printed."""
        assert self._starting, "start() comes first"
        self._starting.wait(SECONDS)  # what has not begun is not running either, which is all that `docker wait` asks
        docker("wait", self._id)
        return docker("logs", self._id)

    @staticmethod
    def await_ready(port: int, path: str) -> float:
        """Wait until it answers, and return when."""
        wait_until(lambda: _answers(f"http://{HOST}:{port}{path}"), what=f"{path} on {port}", seconds=SECONDS)
        return time.monotonic()


def build() -> list[str]:
    """Build the project's images, as they are now, and return their names. Raises LeftOut without an engine."""
    if shutil.which("docker") is None:
        raise LeftOut("there is no docker on this machine")
    if subprocess.run(["docker", "info"], capture_output=True, timeout=SECONDS, check=False).returncode:
        raise LeftOut("the docker engine does not answer")
    lines = run(["make", "--directory", str(BENCH.parent), "images"], env={}, seconds=BUILD_SECONDS).splitlines()
    return [line.split()[0] for line in lines if line.startswith("heavylift/")]


def base_of(image: str) -> str:
    """Return the name of what an image was built from."""
    return docker("image", "inspect", f'--format={{{{index .Config.Labels "{LABEL}"}}}}', image).strip()


def size_of(image: str) -> int:
    """Return the bytes of all its layers, unpacked."""
    return int(docker("image", "inspect", "--format={{.Size}}", image))


def docker(*command: str) -> str:
    """Run a docker command and return what it printed. Raises BenchError."""
    return run(["docker", *command], env={}, seconds=SECONDS)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1):
            return True
    except (OSError, urllib.error.HTTPError):
        return False
