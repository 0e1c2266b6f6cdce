"""An image that is built again is the same one: nodes have its layers already."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.commands import run
from tests.unit.docs.pages import ROOT

IMAGE = "heavylift-tests/again"
SOURCES = (".ci", "images", "packages", "services", ".dockerignore")


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Build the controller's image from a copy of its sources, which nobody edits meanwhile."""
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tmp_path / name)
        else:
            shutil.copy(ROOT / name, tmp_path)
    built: list[str] = []

    def begin(*options: str) -> str:
        built.append(f"{IMAGE}:{len(built)}")
        dockerfile = str(tmp_path / "services/controller/Dockerfile")
        arguments = ("--quiet", "--tag", built[-1], "--file", dockerfile, str(tmp_path))
        run("docker", "build", *options, *arguments, timeout=400)
        return built[-1]

    yield begin
    run("docker", "image", "rm", *built)


def test_layers_depend_on_nothing_but_what_is_in_them(build: Callable[..., str]):
    assert layers(build()) == layers(build("--no-cache"))


def layers(image: str) -> list[str]:
    return json.loads(run("docker", "image", "inspect", "--format={{json .RootFS.Layers}}", image))
