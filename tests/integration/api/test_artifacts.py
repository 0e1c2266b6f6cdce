"""Listing and fetching artifacts."""

from __future__ import annotations

import hashlib
from pathlib import Path

import httpx
import pytest

from heavylift.model import Artifact
from tests.integration.api.conftest import Api, Worker

pytestmark = pytest.mark.integration

CONTENT = bytes(range(256)) * 20_000


@pytest.fixture
def artifact(api: httpx.Client, worker: Worker, shared_api: Api) -> str:
    """The path of an artifact that a finished job made."""
    job = api.post("/v1/jobs", json={"type": "echo", "input": {"n": 1}}).json()
    key = f"jobs/{job['id']}/1/pictures/out.png"
    place = Path(shared_api.settings.artifacts_url.removeprefix("file://")) / key
    place.parent.mkdir(parents=True)
    place.write_bytes(CONTENT)
    made = Artifact(
        name="pictures/out.png",
        key=key,
        size=len(CONTENT),
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        content_type="image/png",
    )
    worker.finish(worker.claim(), made)
    [listed] = api.get(f"{job['urls']['artifacts']}").json()["items"]
    assert (listed["name"], listed["role"], listed["size"]) == ("pictures/out.png", "output", len(CONTENT))
    return listed["url"]


def test_an_artifact_is_sent_whole(api: httpx.Client, artifact: str) -> None:
    response = api.get(artifact)
    assert (response.status_code, response.content == CONTENT) == (200, True)
    assert response.headers["etag"] == f'"{hashlib.sha256(CONTENT).hexdigest()}"'
    assert response.headers["content-type"] == "image/png"
    assert response.headers["content-disposition"] == "attachment; filename*=UTF-8''out.png"
    assert response.headers["x-content-type-options"] == "nosniff"


def test_head_has_the_headers_of_get(api: httpx.Client, artifact: str) -> None:
    head, get = api.head(artifact), api.get(artifact)
    assert (head.status_code, head.content) == (200, b"")
    assert {**head.headers, "date": ""} == {**get.headers, "date": ""}


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-99", 0, 100),
        ("bytes=5000000-", 5_000_000, None),
        ("bytes=-7", -7, None),
        ("bytes=9-99999999", 9, None),
    ],
)
def test_a_range_is_sent_alone(api: httpx.Client, artifact: str, asked: str, start: int, end: int | None) -> None:
    response = api.get(artifact, headers={"Range": asked})
    assert (response.status_code, response.content == CONTENT[start:end]) == (206, True)
    first = start % len(CONTENT)
    last = first + len(response.content) - 1
    assert response.headers["content-range"] == f"bytes {first}-{last}/{len(CONTENT)}"


def test_a_range_outside_says_how_long_the_artifact_is(api: httpx.Client, artifact: str) -> None:
    response = api.get(artifact, headers={"Range": f"bytes={len(CONTENT)}-"})
    assert (response.status_code, response.headers["content-range"]) == (416, f"bytes */{len(CONTENT)}")
    assert response.json()["type"] == "urn:heavylift:problem:range-not-satisfiable"


def test_a_known_version_is_not_sent_again(api: httpx.Client, artifact: str) -> None:
    etag = api.head(artifact).headers["etag"]
    response = api.get(artifact, headers={"If-None-Match": f'"other", W/{etag}'})
    assert (response.status_code, response.content, response.headers["etag"]) == (304, b"", etag)


def test_a_range_of_another_version_is_answered_with_the_whole(api: httpx.Client, artifact: str) -> None:
    response = api.get(artifact, headers={"Range": "bytes=0-9", "If-Range": '"other"'})
    assert (response.status_code, len(response.content)) == (200, len(CONTENT))


@pytest.mark.parametrize(
    "name",
    ["nope", "..%2f..%2fout.png", "../../../etc/passwd", "%2e%2e/%2e%2e/x", "pictures/../pictures/out.png", "%00"],
)
def test_names_that_the_job_does_not_have_lead_nowhere(api: httpx.Client, artifact: str, name: str) -> None:
    folder = artifact.removesuffix("pictures/out.png")
    target = f"{folder}{name}".encode()
    response = api.get("/", extensions={"target": target})  # as it stands: httpx would resolve the dots
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"


def test_content_that_storage_lost_is_not_found(api: httpx.Client, artifact: str, shared_api: Api) -> None:
    folder = Path(shared_api.settings.artifacts_url.removeprefix("file://"))
    for path in folder.rglob("out.png"):
        path.unlink()
    response = api.get(artifact)
    assert (response.status_code, response.json()["detail"]) == (404, "The artifact is no longer in storage.")
