"""Artifact storage in a folder. tests/integration/test_artifacts_s3.py holds S3 against the same promises."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from heavylift.artifact_content import PIECE
from heavylift.artifacts import PART, ArtifactStore, check_name, job_key
from heavylift.errors import (
    ArtifactNotFound,
    ArtifactStorageUnavailable,
    ConfigurationError,
    InvalidArtifactName,
)
from tests.waiting import wait_until

KEY = "jobs/video-1/input/clip.mp4"

SIZES = [0, 1, PIECE - 1, PIECE, PIECE + 1, PART, 3 * PART + 17]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "artifacts"


@pytest.fixture
def storage(folder: Path) -> ArtifactStore:
    folder.mkdir()
    return ArtifactStore.from_url(folder.as_uri())


def content(size: int) -> bytes:
    return (bytes(range(256)) * (size // 256 + 1))[:size]


async def chunks(data: bytes, size: int = 64 * 1024) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


async def read(storage: ArtifactStore, key: str, start: int = 0, end: int | None = None) -> bytes:
    return b"".join([chunk async for chunk in storage.read(key, start, end)])


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("size", SIZES)
async def test_what_is_written_is_read_back_with_its_size_and_digest(storage: ArtifactStore, size: int) -> None:
    data = content(size)

    stored = await storage.write(KEY, chunks(data))

    assert stored == (size, hashlib.sha256(data).hexdigest())
    assert await read(storage, KEY) == data
    assert (await storage.stat(KEY)).size == size


@pytest.mark.parametrize("size", SIZES)
async def test_a_worker_writes_a_path_bytes_or_a_stream(storage: ArtifactStore, tmp_path: Path, size: int) -> None:
    data = content(size)
    (tmp_path / "local").write_bytes(data)
    expected = (size, hashlib.sha256(data).hexdigest())

    for source in (tmp_path / "local", data, io.BytesIO(data)):
        assert storage.write_sync(KEY, source) == expected
        assert await read(storage, KEY) == data
        storage.delete(KEY)


@pytest.mark.parametrize(
    ("start", "end"), [(0, 1), (5, 10), (PART - 1, PART + 1), (PART, None), (0, 10**12), (2 * PART, 10)]
)
async def test_a_range_is_read(storage: ArtifactStore, start: int, end: int | None) -> None:
    data = content(2 * PART)
    storage.write_sync(KEY, data)

    assert await read(storage, KEY, start, end) == data[start:end]


async def test_writing_again_replaces(storage: ArtifactStore) -> None:
    storage.write_sync(KEY, b"the first, longer")
    await storage.write(KEY, chunks(b"second"))

    assert await read(storage, KEY) == b"second"


async def test_a_file_replaced_while_it_is_read_is_not_mixed(storage: ArtifactStore) -> None:
    storage.write_sync(KEY, content(2 * PART))
    reading = storage.read(KEY)
    await anext(reading)
    storage.write_sync(KEY, b"x" * 2 * PART)

    with pytest.raises(ArtifactStorageUnavailable, match="replaced while it was read"):
        async for _ in reading:
            pass


@pytest.mark.parametrize("written", [10, 3 * PART])
async def test_content_that_fails_leaves_nothing(storage: ArtifactStore, folder: Path, written: int) -> None:
    async def torn() -> AsyncIterator[bytes]:
        async for chunk in chunks(content(written)):
            yield chunk
        raise ConnectionResetError("the client went away")

    with pytest.raises(ConnectionResetError):
        await storage.write(KEY, torn())

    assert files_below(folder) == []


async def test_a_cancelled_write_leaves_nothing(storage: ArtifactStore, folder: Path) -> None:
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

    wait_until(lambda: files_below(folder) == [], what="an empty folder")


def test_a_stream_that_fails_leaves_nothing_and_keeps_its_error(storage: ArtifactStore, folder: Path) -> None:
    class Torn(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            piece = super().read(size)
            if not piece:
                raise FileNotFoundError("the disk went away")
            return piece

    with pytest.raises(FileNotFoundError, match="the disk went away"):
        storage.write_sync(KEY, Torn(content(2 * PART)))

    assert files_below(folder) == []


def test_a_writer_killed_at_work_leaves_nothing_visible(storage: ArtifactStore, folder: Path) -> None:
    writer = script(
        """
        def endless():
            yield b"x" * 20_000_000
            print("wrote", flush=True)
            time.sleep(60)

        class Stream(io.RawIOBase):
            pieces = endless()
            def read(self, size): return next(self.pieces)

        storage.write_sync("jobs/video-1/input/clip.mp4", Stream())
        """,
        folder.as_uri(),
    )
    assert writer.stdout
    assert writer.stdout.readline() == "wrote\n"
    writer.send_signal(signal.SIGKILL)
    writer.communicate()

    with pytest.raises(ArtifactNotFound):
        storage.local_path(KEY)
    storage.delete_prefix("jobs/video-1")
    assert files_below(folder) == []


@pytest.mark.parametrize(
    "key",
    ["../secret", "jobs/../../secret", "/etc/passwd", "jobs//x", "jobs/./x", "a\\b", "a\x00b", "a%2e", "", "a/", "x#1"],
)
async def test_a_key_cannot_leave_the_root(storage: ArtifactStore, folder: Path, key: str) -> None:
    for use in (
        lambda: storage.local_path(key),
        lambda: storage.write_sync(key, b""),
        lambda: storage.fetch(key, folder / "copy"),
        lambda: storage.delete(key),
        lambda: storage.delete_prefix(key),
        lambda: job_key("video-1", key),
        lambda: check_name(key),
    ):
        with pytest.raises(InvalidArtifactName):
            use()
    with pytest.raises(InvalidArtifactName):
        await storage.stat(key)
    with pytest.raises(InvalidArtifactName):
        await read(storage, key)


def test_a_link_in_the_folder_leads_nowhere(storage: ArtifactStore, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (folder / "jobs").mkdir()
    (folder / "jobs" / "link").symlink_to(tmp_path / "secret")

    with pytest.raises(InvalidArtifactName):
        storage.local_path("jobs/link")


def test_names_and_keys() -> None:
    assert check_name("frames/0001.png") == "frames/0001.png"
    assert job_key("video-1", "input", "clip.mp4") == KEY
    with pytest.raises(InvalidArtifactName, match="letters, digits"):
        check_name("x" * 201)


async def test_a_missing_file_is_not_found(storage: ArtifactStore, tmp_path: Path) -> None:
    with pytest.raises(ArtifactNotFound):
        await storage.stat(KEY)
    with pytest.raises(ArtifactNotFound):
        await read(storage, KEY)
    with pytest.raises(ArtifactNotFound):
        storage.fetch(KEY, tmp_path / "copy")
    with pytest.raises(ArtifactNotFound):
        storage.local_path(KEY)
    storage.delete(KEY)
    storage.delete_prefix("jobs/video-1")
    assert files_below(tmp_path) == []


def test_a_worker_reads_a_folder_in_place_or_fetches_a_copy(storage: ArtifactStore, tmp_path: Path) -> None:
    storage.write_sync(KEY, content(PART + 1))

    path = storage.local_path(KEY)

    assert path
    assert path.read_bytes() == content(PART + 1)
    assert storage.fetch(KEY, tmp_path / "copy").read_bytes() == content(PART + 1)


def test_a_prefix_is_deleted_and_its_neighbour_is_not(storage: ArtifactStore, folder: Path) -> None:
    for key in ("jobs/a-1/x", "jobs/a-1/2/y", "jobs/a-10/z"):
        storage.write_sync(key, b"1")

    storage.delete_prefix("jobs/a-1")

    assert files_below(folder) == ["jobs/a-10/z"]


async def test_a_folder_that_cannot_be_written_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    storage = ArtifactStore.from_url((tmp_path / "file" / "artifacts").as_uri())

    with pytest.raises(ArtifactStorageUnavailable, match="HEAVYLIFT_ARTIFACTS_URL"):
        storage.check()
    with pytest.raises(ArtifactStorageUnavailable, match="HEAVYLIFT_ARTIFACTS_URL"):
        await storage.check_async()
    with pytest.raises(ArtifactStorageUnavailable, match="HEAVYLIFT_ARTIFACTS_URL"):
        storage.write_sync(KEY, b"1")


def test_check_makes_the_folder_and_leaves_it_empty(folder: Path) -> None:
    ArtifactStore.from_url(folder.as_uri()).check()

    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("url", ["", "artifacts", "file://", "file://host/x", "s3://", "ftp://x/y", "/tmp"])
def test_a_wrong_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="HEAVYLIFT_ARTIFACTS_URL"):
        ArtifactStore.from_url(url)


def script(source: str, url: str, *arguments: str) -> subprocess.Popen[str]:
    """Run the source in a process of its own, with `storage` on the url."""
    head = """
        import asyncio, hashlib, io, os, resource, sys, time
        from heavylift.artifacts import ArtifactStore
        storage = ArtifactStore.from_url(sys.argv[1])
    """
    program = textwrap.dedent(head) + textwrap.dedent(source)
    return subprocess.Popen([sys.executable, "-c", program, url, *arguments], stdout=subprocess.PIPE, text=True)


def output_of(source: str, url: str, *arguments: str) -> list[str]:
    process = script(source, url, *arguments)
    printed, _ = process.communicate(timeout=50)
    assert process.returncode == 0
    return printed.split()


MEMORY = """
    MIB = 1024 * 1024
    async def source(mib):
        piece = os.urandom(64 * 1024)
        for _ in range(mib * 16): yield piece
    async def run():
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        stored = await storage.write("big", source(int(sys.argv[2])))
        size = 0
        async for chunk in storage.read("big"): size += len(chunk)
        assert stored.size == size == int(sys.argv[2]) * MIB, (stored, size)
        print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
    asyncio.run(run())
"""


def test_300_mib_pass_through_100_mib_of_memory(folder: Path) -> None:
    (grown,) = output_of(MEMORY, folder.as_uri(), "300")

    assert int(grown) < 100


def test_a_fork_before_the_first_use_is_safe_and_one_after_it_is_refused(folder: Path) -> None:
    results = output_of(
        """
        def in_child():
            sys.stdout.flush()
            if os.fork() == 0:
                try:
                    print("stored", storage.write_sync("from-child", b"123").size)
                except RuntimeError:
                    print("refused")
                sys.stdout.flush()
                os._exit(0)
            os.wait()

        storage.check()
        in_child()
        print("read", storage.local_path("from-child").stat().st_size)
        storage.write_sync("from-parent", b"")
        in_child()
        """,
        folder.as_uri(),
    )

    assert results == ["stored", "3", "read", "3", "refused"]


def test_an_interpreter_ends_cleanly_right_after_the_last_read(folder: Path) -> None:
    for _ in range(3):
        printed = output_of(
            """
            async def source(): yield b"x" * 2_000_000
            async def run():
                await storage.write("x", source())
                async for _ in storage.read("x"): pass
            asyncio.run(run())
            """,
            folder.as_uri(),
        )
        assert printed == []


def test_importing_the_module_leaves_obstore_alone() -> None:
    check = "import sys, heavylift.artifacts; print('obstore' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True, env=os.environ)

    assert found.stdout.strip() == "False"
