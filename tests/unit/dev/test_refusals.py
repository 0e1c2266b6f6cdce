"""What keeps a stack from starting is said in a sentence with the remedy."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from heavylift.dev import StackError
from heavylift.dev.data import DataFolder
from heavylift.dev.ports import HOST, free_from, require_free
from heavylift.dev.redis_server import check_server, find_binary, require_new_enough, without_password
from tests.fixtures_redis import free_port, redis_binary


def server(folder: Path, version: str) -> str:
    path = folder / f"redis-server-{version}"
    path.write_text(f"#!/bin/sh\necho 'Redis server v={version} sha=00000000:0 malloc=libc bits=64'\n")
    path.chmod(0o755)
    return str(path)


def test_a_taken_port() -> None:
    with socket.create_server((HOST, 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(StackError, match=f"Port {port} .* is taken.* --port"):
            require_free(port)
        assert free_from(port) > port


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StackError, match=r"cannot be written .*--data"):
        DataFolder(tmp_path / "file" / "data").acquire()


def test_a_folder_another_stack_uses(tmp_path: Path) -> None:
    first, second = DataFolder(tmp_path), DataFolder(tmp_path)
    first.acquire()
    with pytest.raises(StackError, match=r"Another stack uses .*--data"):
        second.acquire()
    first.release()
    second.acquire()
    second.release()


def test_the_first_server_that_is_new_enough_is_taken(tmp_path: Path) -> None:
    old, new = server(tmp_path, "6.0.16"), server(tmp_path, "7.4.1")
    assert find_binary([str(tmp_path / "missing"), old, new]).path == new
    assert find_binary([redis_binary()]).version


def test_no_server_that_is_new_enough(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"6\.0\.16, too old\. Install Redis 6\.2 or newer"):
        find_binary([server(tmp_path, "6.0.16")])
    with pytest.raises(StackError, match="There is no redis-server"):
        find_binary([])


async def test_a_redis_that_was_given_and_does_not_answer() -> None:
    with pytest.raises(StackError, match=r"redis://me:\*\*\*@.* cannot be used .*--redis-url"):
        await check_server(f"redis://me:secret@{HOST}:{free_port()}/0")


async def test_a_redis_that_was_given_and_serves(redis_url: str) -> None:
    await check_server(redis_url)


@pytest.mark.parametrize(("version", "fits"), [("6.0.16", False), ("6.2.0", True), ("7.0.15", True), ("10.0.0", True)])
def test_versions_are_compared_as_numbers(version: str, fits: bool) -> None:
    if fits:
        require_new_enough(version, "there")
    else:
        with pytest.raises(StackError, match="too old"):
            require_new_enough(version, "there")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:s3cr3t@host:1/0", "redis://:***@host:1/0"),
        ("redis://me:s3cr3t@host", "redis://me:***@host"),
        ("redis://host:6379/0", "redis://host:6379/0"),
    ],
)
def test_passwords_are_not_shown(url: str, shown: str) -> None:
    assert without_password(url) == shown
