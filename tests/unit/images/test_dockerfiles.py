"""What all Dockerfiles have in common stays in step, since none can be built from another's stages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]
DOCKERFILES = sorted(REPOSITORY.glob("services/*/Dockerfile"))
SERVICES = sorted(path.parent.name for path in REPOSITORY.glob("services/*/pyproject.toml"))


def stage(text: str, name: str) -> str:
    found = re.search(rf"^FROM \S+ AS {name}$.*?(?=^FROM |^#)", text, re.MULTILINE | re.DOTALL)
    assert found, name
    return found[0].strip()


def test_every_service_has_an_image():
    assert [path.parent.name for path in DOCKERFILES] == SERVICES


def test_the_builder_stage_is_the_same_in_all():
    assert len({stage(path.read_text(), "builder") for path in DOCKERFILES}) == 1


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.parent.name)
def test_the_base_image_can_be_chosen(path: Path):
    text = path.read_text()
    stages = re.findall(r" AS (\S+)$", text, re.MULTILINE)

    assert "ARG BASE_IMAGE=python:3.13-slim" in text.splitlines()
    assert set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) <= {"${BASE_IMAGE}", *stages}


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.parent.name)
def test_nobody_runs_as_root(path: Path):
    assert set(re.findall(r"^USER (.*)$", path.read_text(), re.MULTILINE)) == {"10001:10001"}
