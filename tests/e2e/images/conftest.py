"""Containers for a test, beside a real Redis and a folder they share; they are gone after it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.images.containers import Container, Image
from tests.e2e.images.probes import KEY, PROBES
from tests.fixtures_redis import free_port

JOBS = Path(__file__).parent / "jobs"

StartContainer = Callable[..., Container]


@pytest.fixture(params=PROBES, scope="session")
def name(request: pytest.FixtureRequest) -> str:
    """The name of each image."""
    return request.param


@pytest.fixture(scope="session")
def image(name: str, tagged: dict[str, str]) -> Image:
    """Each of the project's images."""
    return Image(tagged[name])


@pytest.fixture(scope="session")
def base(image: Image) -> Image:
    """What it was built from."""
    return Image(image.labels["base.name"])


@pytest.fixture(scope="session")
def tagged(images: list[str]) -> dict[str, str]:
    """The images' names with their tags, by the name alone."""
    return {image.removeprefix("heavylift/").partition(":")[0]: image for image in images}


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    """A folder that a container's user may write."""
    folder = tmp_path / "artifacts"
    folder.mkdir()
    folder.chmod(0o777)
    return folder


@pytest.fixture
def start(redis_url: str, artifacts: Path, tagged: dict[str, str]) -> Iterator[StartContainer]:
    """Start a container with settings and ports of its own: of an image of ours with `jobs` on it, or of another."""
    started: list[Container] = []

    def begin(name: str, *arguments: str, **options: Any) -> Container:
        env, mounts = settings(redis_url), {artifacts: "/artifacts"}
        if name in tagged:
            env["HEAVYLIFT_JOBS"], mounts[JOBS] = "image_jobs", "/app:ro"
        env |= options.pop("env", {})
        started.append(Container(tagged.get(name, name), *arguments, env=env, mounts=mounts, **options))
        return started[-1]

    yield begin
    for container in started:
        container.remove()


def settings(redis_url: str) -> dict[str, str]:
    """Return what any of them needs to know; the ports are free ones."""
    return {
        "HEAVYLIFT_REDIS_URL": redis_url,
        "HEAVYLIFT_ARTIFACTS_URL": "file:///artifacts",
        "HEAVYLIFT_API_KEYS": f"tests:{hashlib.sha256(KEY.encode()).hexdigest()}",
        "HEAVYLIFT_FLOWER_OPEN": "true",
        "HEAVYLIFT_PORT": str(free_port()),
        "HEAVYLIFT_METRICS_PORT": str(free_port()),
        "HEAVYLIFT_FLOWER_PORT": str(free_port()),
    }
