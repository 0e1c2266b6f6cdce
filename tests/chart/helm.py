"""Helm as the tests use it: what it renders, and what it says when it refuses.

Rendering needs no cluster and takes some 50 ms. Renders are remembered for the life of the process, since most tests
look at the same few.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

CHART = Path(__file__).parents[2] / "charts" / "heavylift"

# What a Helm takes a cluster's version to be, where there is none, depends on how it was built.
CLUSTER = ("--kube-version", "v1.34.0")

RELEASE = "demo"
NAMESPACE = "work"

Values = Mapping[str, Any]


class RefusedError(Exception):
    """Helm ended with an error; the text is what it wrote."""


@dataclass(frozen=True)
class Helm:
    """A Helm of one major version."""

    path: str
    major: int

    def template(
        self,
        values: Path | Values,
        *,
        release: str = RELEASE,
        namespace: str = NAMESPACE,
        chart: Path = CHART,
        options: tuple[str, ...] = (),
    ) -> str:
        """Return the rendered objects. Raises `RefusedError`."""
        command = ("template", release, str(chart), "--namespace", namespace, *CLUSTER, *options)
        return _run(self.path, command, _written(values))

    def lint(self, values: Path | Values) -> str:
        """Return what `helm lint --strict` says of the chart with these values. Raises `RefusedError`."""
        command = ("lint", "--strict", str(CHART), "--namespace", NAMESPACE, *CLUSTER)
        return _run(self.path, command, _written(values))

    def refusal(self, values: Path | Values, *, options: tuple[str, ...] = ()) -> str:
        """Return the message with which rendering ends, in one line."""
        try:
            self.template(values, options=options)
        except RefusedError as refused:
            return " ".join(str(refused).split())
        raise AssertionError(f"rendered although it should have been refused: {_written(values)}")


@cache
def installed(name: str, major: int) -> Helm | None:
    """Return the Helm of this name if there is one, and if it is of this major version."""
    path = shutil.which(name)
    if path is None:
        return None
    version = _run(path, ("version", "--template", "{{.Version}}"), "")
    return Helm(path, major) if version.startswith(f"v{major}.") else None


def _written(values: Path | Values) -> str:
    return values.read_text() if isinstance(values, Path) else json.dumps(values)


@cache
def _run(path: str, arguments: tuple[str, ...], values: str) -> str:
    command = [path, *arguments, *(["--values", "-"] if values else [])]
    # No cluster may have a say, not even one that the developer's kubeconfig names.
    # And a process of some 100 ms need not tidy its memory.
    environment = {**os.environ, "KUBECONFIG": os.devnull, "GOGC": "off"}
    done = subprocess.run(command, input=values, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        # Killed, it has refused nothing.
        assert done.returncode > 0, f"helm ended by signal {-done.returncode}: {done.stderr}"
        raise RefusedError(done.stderr + done.stdout)
    return done.stdout
