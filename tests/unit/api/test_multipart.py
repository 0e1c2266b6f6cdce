"""Forms, however they are cut into pieces."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heavylift_api.errors import InvalidMultipart
from heavylift_api.multipart import MAX_PARTS, MultipartReader
from heavylift_api.uploads import safe_name

FORM = (
    b'--b\r\nContent-Disposition: form-data; name="type"\r\n\r\nvideo.transcode\r\n'
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="f\xc3\xbc.mov"\r\nContent-Type: video/x\r\n\r\n'
    b"one\r\n--two\r\n--b\r\n"
    b'Content-Disposition: form-data; name="input"\r\n\r\n{}\r\n--b--\r\n'
)


async def pieces(body: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def read(body: bytes, size: int, *, skip: bool = False) -> list[tuple[str, str | None, str | None, bytes]]:
    reader = MultipartReader("multipart/form-data; boundary=b", pieces(body, size))
    parts = []
    while (part := await reader.next_part()) is not None:
        content = b"" if skip else b"".join([piece async for piece in reader.content()])
        parts.append((part.name, part.filename, part.content_type, content))
    return parts


@given(size=st.integers(1, len(FORM)))
async def test_the_pieces_do_not_matter(size: int) -> None:
    assert await read(FORM, size) == [
        ("type", None, None, b"video.transcode"),
        ("file", "fü.mov", "video/x", b"one\r\n--two"),
        ("input", None, None, b"{}"),
    ]


@given(size=st.integers(1, len(FORM)))
async def test_parts_may_be_skipped(size: int) -> None:
    assert [part[0] for part in await read(FORM, size, skip=True)] == ["type", "file", "input"]


@given(end=st.integers(0, len(FORM) - 3), size=st.integers(1, 100))
async def test_a_form_that_is_cut_off_is_refused(end: int, size: int) -> None:
    with pytest.raises(InvalidMultipart):
        await read(FORM[:end], size)


async def test_a_form_of_countless_parts_is_refused() -> None:
    part = b"--b\r\nContent-Disposition: form-data; name=x\r\n\r\nx\r\n"
    with pytest.raises(InvalidMultipart):
        await read(part * (MAX_PARTS + 1) + b"--b--\r\n", 1000)


@pytest.mark.parametrize(
    ("given_name", "name"),
    [
        ("film.mov", "film.mov"),
        ("../../etc/passwd", "passwd"),
        ("C:\\films\\Ferien (1).mov", "Ferien_1_.mov"),
        ("..", "upload"),
        (".hidden", "hidden"),
        ("", "upload"),
        (None, "upload"),
        ("x" * 300 + ".mp4", "x" * 116 + ".mp4"),
        ("фильм.mov", "_.mov"),
        ("a\x00b", "a_b"),
    ],
)
def test_files_get_names_that_artifacts_may_have(given_name: str | None, name: str) -> None:
    assert safe_name(given_name) == name
