"""Files that go through the API into a bucket, and out of it."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.fixtures_s3 import Bucket
from tests.integration.api.conftest import Api, Worker

pytestmark = pytest.mark.integration

FILM = random.Random(1).randbytes(20_000_000)  # several parts
OCTETS = {"Content-Type": "video/mp4"}


@pytest.fixture
def api(start_api: Callable[..., Api], worker: Worker, redis_url: str, s3: Bucket) -> httpx.Client:
    return start_api(redis_url, artifacts_url=s3.url, max_upload_size=30_000_000, queue_bound=1).http


def in_blocks(content: bytes) -> Iterator[bytes]:
    """Yield the content so that its length is not announced."""
    yield from (content[start : start + 1_000_000] for start in range(0, len(content), 1_000_000))


def job_files(s3: Bucket) -> list[str]:
    found = s3.keys()  # among them what the readiness check wrote
    return [key for key in found if "/jobs/" in key]


def test_an_uploaded_file_lies_in_the_bucket_and_comes_back(api: httpx.Client, worker: Worker, s3: Bucket) -> None:
    assert api.get("/readyz").status_code == 200
    job = api.post("/upload", params={"filename": "a.mp4"}, content=in_blocks(FILM), headers=OCTETS).json()
    [artifact] = job["artifacts"]
    assert (artifact["size"], artifact["sha256"]) == (len(FILM), hashlib.sha256(FILM).hexdigest())
    assert job_files(s3) == [f"some/prefix/jobs/{job['id']}/input/a.mp4"]
    assert worker.claim("video").input == f'{{"source":"jobs/{job["id"]}/input/a.mp4"}}'.encode()
    assert api.get(artifact["url"]).content == FILM
    part = api.get(artifact["url"], headers={"Range": "bytes=9000000-9000099"})
    assert (part.status_code, part.content) == (206, FILM[9_000_000:9_000_100])


def test_a_file_that_is_not_accepted_leaves_nothing_in_the_bucket(api: httpx.Client, s3: Bucket) -> None:
    assert api.post("/upload", content=in_blocks(FILM * 2), headers=OCTETS).status_code == 413
    files = [("file", ("a.mp4", FILM)), ("input", (None, '{"height": "high"}'))]
    assert api.post("/upload", files=files).status_code == 422
    assert api.post("/upload", content=b"film", headers=OCTETS).status_code == 202
    assert api.post("/upload", content=in_blocks(FILM), headers=OCTETS).status_code == 503  # the queue is full
    [accepted] = job_files(s3)
    assert accepted.endswith("/input/upload")
    assert s3.unfinished_uploads() == []


def test_a_bucket_that_is_gone_is_a_503(api: httpx.Client, s3: Bucket) -> None:
    s3.client.delete_bucket(Bucket=s3.name)
    for response in (api.post("/upload", content=b"film", headers=OCTETS), api.get("/readyz")):
        assert response.status_code == 503, response.text
        assert response.headers["retry-after"]
