"""Artifact storage on a real S3 server, over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from heavylift.artifact_content import PIECE
from heavylift.artifacts import PART, ArtifactStore
from heavylift.errors import ArtifactNotFound, ArtifactStorageUnavailable, ConfigurationError
from tests.fixtures_redis import free_port
from tests.fixtures_s3 import Bucket
from tests.unit.heavylift.test_artifacts import KEY, MEMORY, chunks, content, output_of, read, script
from tests.waiting import wait_until

pytestmark = pytest.mark.integration


@pytest.fixture
def storage(s3: Bucket) -> ArtifactStore:
    return ArtifactStore.from_url(s3.url)


@pytest.mark.parametrize("size", [0, 1, PIECE, PIECE + 1, 2 * PART + 17])
async def test_what_is_written_is_read_back_with_its_digest(storage: ArtifactStore, s3: Bucket, size: int) -> None:
    data = content(size)

    stored = await storage.write(KEY, chunks(data), content_type="video/mp4")

    assert stored == (size, hashlib.sha256(data).hexdigest())
    assert s3.keys() == [f"some/prefix/{KEY}"]
    assert s3.client.head_object(Bucket=s3.name, Key=s3.keys()[0])["ContentType"] == "video/mp4"
    assert await read(storage, KEY) == data
    assert (await storage.stat(KEY)).size == size


def test_a_worker_writes_and_fetches(storage: ArtifactStore, tmp_path: Path) -> None:
    data = content(PART + PIECE + 1)

    assert storage.write_sync(KEY, data).sha256 == hashlib.sha256(data).hexdigest()

    assert storage.local_path(KEY) is None
    assert storage.fetch(KEY, tmp_path / "copy").read_bytes() == data


@pytest.mark.parametrize(("start", "end"), [(0, 1), (PART - 1, PART + 1), (PART, None), (0, 10**12), (2 * PART, None)])
async def test_a_range_is_read(storage: ArtifactStore, start: int, end: int | None) -> None:
    data = content(PART + 10)
    storage.write_sync(KEY, data)

    assert await read(storage, KEY, start, end) == data[start:end]


async def test_content_that_fails_leaves_neither_an_object_nor_an_upload(storage: ArtifactStore, s3: Bucket) -> None:
    async def torn() -> AsyncIterator[bytes]:
        async for chunk in chunks(content(2 * PART)):
            yield chunk
        raise ConnectionResetError("the client went away")

    with pytest.raises(ConnectionResetError):
        await storage.write(KEY, torn())

    assert (s3.keys(), s3.unfinished_uploads()) == ([], [])


async def test_a_cancelled_write_leaves_neither_an_object_nor_an_upload(storage: ArtifactStore, s3: Bucket) -> None:
    hanging = asyncio.Event()

    async def hangs() -> AsyncIterator[bytes]:
        async for chunk in chunks(content(3 * PART)):
            yield chunk
        hanging.set()
        await asyncio.Event().wait()

    writing = asyncio.create_task(storage.write(KEY, hangs()))
    await asyncio.wait_for(hanging.wait(), 10)
    writing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await writing

    assert (s3.keys(), s3.unfinished_uploads()) == ([], [])


def test_a_writer_killed_at_work_leaves_nothing_visible(s3: Bucket) -> None:
    writer = script(
        """
        async def slow():
            yield b"x" * 20_000_000
            yield b"x" * 20_000_000
            await asyncio.sleep(60)
        asyncio.run(storage.write("big", slow()))
        """,
        s3.url,
    )
    wait_until(s3.unfinished_uploads, timeout=20, what="an upload")
    writer.send_signal(signal.SIGKILL)
    writer.communicate()

    assert s3.keys() == []


async def test_a_missing_file_is_not_found(storage: ArtifactStore, tmp_path: Path) -> None:
    with pytest.raises(ArtifactNotFound):
        await storage.stat(KEY)
    with pytest.raises(ArtifactNotFound):
        await read(storage, KEY)
    with pytest.raises(ArtifactNotFound):
        storage.fetch(KEY, tmp_path / "copy")
    storage.delete(KEY)


def test_a_prefix_is_deleted_and_its_neighbour_is_not(storage: ArtifactStore, s3: Bucket) -> None:
    for key in ("jobs/a-1/x", "jobs/a-1/2/y", "jobs/a-10/z"):
        storage.write_sync(key, b"1")

    storage.delete_prefix("jobs/a-1")

    assert s3.keys() == ["some/prefix/jobs/a-10/z"]


def test_check_passes_and_leaves_nothing_and_a_fork_may_follow(s3: Bucket) -> None:
    results = output_of(
        """
        if __name__ == "__main__":
            storage.check()
            if os.fork() == 0:
                print(storage.write_sync("x", b"123").size, flush=True)
                os._exit(0)
            os.wait()
        """,
        s3.url,
    )

    assert results == ["3"]
    assert s3.keys() == ["some/prefix/x"]


async def test_an_endpoint_that_is_down_is_one_clear_error(s3: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    storage = ArtifactStore.from_url(s3.url)

    with pytest.raises(ArtifactStorageUnavailable, match="AWS_"):
        await storage.stat(KEY)
    with pytest.raises(ArtifactStorageUnavailable, match="AWS_"):
        await storage.write(KEY, chunks(content(3 * PART)))
    with pytest.raises(ArtifactStorageUnavailable, match="AWS_"):
        await storage.check_async()


async def test_a_missing_bucket_is_not_a_missing_file(s3: Bucket) -> None:
    storage = ArtifactStore.from_url("s3://no-such-bucket/prefix")

    with pytest.raises(ArtifactStorageUnavailable, match="bucket exists"):
        storage.write_sync(KEY, b"1")
    with pytest.raises(ArtifactStorageUnavailable, match="bucket exists"):
        await storage.check_async()


def test_an_unencrypted_endpoint_must_be_allowed(s3: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ALLOW_HTTP")

    with pytest.raises(ConfigurationError, match="AWS_ALLOW_HTTP=true"):
        ArtifactStore.from_url(s3.url)


def test_150_mib_pass_through_80_mib_of_memory(s3: Bucket) -> None:
    (grown,) = output_of(MEMORY, s3.url, "150")

    assert int(grown) < 80
