"""An image that is built again is the same one: nodes have its layers already."""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

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


def test_layers_depend_on_nothing_but_what_is_in_them(build: Callable[..., str], tmp_path: Path):
    first, again = layers(build(), tmp_path / "first.tar"), layers(build("--no-cache"), tmp_path / "again.tar")
    assert len(first) > 4
    assert first == again


def layers(image: str, file: Path) -> list[str]:
    """Return a digest of each layer's entries, in an order of ours.

    An engine without an image store of containerd's writes a directory's entries in one of two orders, by whether it
    had the layer below before.
    """
    run("docker", "image", "save", "--output", str(file), image)
    with tarfile.open(file) as image_file:
        [manifest] = json.load(_opened(image_file, "manifest.json"))
        return [_digest(_opened(image_file, name)) for name in manifest["Layers"]]


def _opened(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    found = archive.extractfile(name)
    assert found is not None
    return found


def _digest(layer: IO[bytes]) -> str:
    with tarfile.open(fileobj=layer) as archive:
        entries = sorted(
            (
                entry.name,
                str((entry.type, entry.mode, entry.uid, entry.gid, entry.mtime, entry.linkname, entry.pax_headers)),
                hashlib.sha256(_opened(archive, entry.name).read()).hexdigest() if entry.isreg() else "",
            )
            for entry in archive
        )
    return hashlib.sha256(str(entries).encode()).hexdigest()
