"""An image that is built again is the same one: nodes have its layers already."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.e2e.commands import run
from tests.unit.docs.pages import ROOT

AGAIN = "heavylift-tests/again"


@pytest.fixture
def built_again(tagged: dict[str, str]) -> Iterator[str]:
    dockerfile = str(ROOT / "services/controller/Dockerfile")
    run("docker", "build", "--no-cache", "--quiet", "--tag", AGAIN, "--file", dockerfile, str(ROOT), timeout=400)
    yield AGAIN
    run("docker", "image", "rm", AGAIN)


def test_layers_depend_on_nothing_but_what_is_in_them(tagged: dict[str, str], built_again: str):
    assert layers(built_again) == layers(tagged["controller"])


def layers(image: str) -> list[str]:
    return json.loads(run("docker", "image", "inspect", "--format={{json .RootFS.Layers}}", image))
