"""Each image's lock is a part of requirements.lock, and exactly what its service needs: `make lock` was run."""

from __future__ import annotations

from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from tests.unit.images.locks import REPOSITORY, applies, needed_by, read_lock

IMAGES = {
    "services/api/requirements.lock": ("heavylift-api",),
    "services/controller/requirements.lock": ("heavylift-controller", "keda"),
    "services/flower/requirements.lock": ("heavylift-flower",),
    "services/worker/requirements-base.lock": ("heavylift-worker",),
    "services/worker/requirements-video.lock": ("heavylift-worker", "video"),
}
"""What each lock is made of: a package, and its extras."""

ALL = read_lock(REPOSITORY / "requirements.lock")


@pytest.mark.parametrize("lock", [*IMAGES, "images/build.lock"])
def test_a_lock_has_the_versions_and_hashes_of_requirements_lock(lock: str):
    for name, pin in read_lock(REPOSITORY / lock).items():
        assert (pin.version, pin.hashes) == (ALL[name].version, ALL[name].hashes), name


@pytest.mark.parametrize("lock", IMAGES)
def test_a_lock_names_what_its_service_needs_and_nothing_else(lock: str):
    needed = needed_by(*IMAGES[lock])
    pins = {name: pin for name, pin in read_lock(REPOSITORY / lock).items() if applies(pin.requirement)}

    assert set(pins) == set(needed)
    for name, wanted in needed.items():
        version = pins[name].version.removeprefix("==")
        assert all(SpecifierSet(each).contains(version, prereleases=True) for each in wanted), (name, wanted)


def test_every_lock_is_known_here():
    found = {str(path.relative_to(REPOSITORY)) for path in Path(REPOSITORY).glob("services/*/*.lock")}

    assert found == set(IMAGES)


def test_the_build_tools_are_those_of_the_workspace():
    assert {"hatchling", "editables"} <= set(read_lock(REPOSITORY / "images/build.lock"))
