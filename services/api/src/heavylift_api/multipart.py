"""multipart/form-data (RFC 7578), read part by part as it arrives."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from heavylift_api.errors import InvalidMultipart

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

MAX_PARTS = 32
"""Parts of one form; ours has three."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part's name, and what it says about the file it holds, if it holds one."""

    name: str
    filename: str | None
    content_type: str | None


class MultipartReader:
    """Reads a form: `next_part`, then its `content`, and so on. What is left of a part is skipped."""

    def __init__(self, content_type: str, body: AsyncIterator[bytes]) -> None:
        _, parameters = parse_options_header(content_type)
        self._body = body
        self._found: deque[Part | bytes | None] = deque()
        self._headers: dict[str, str] = {}
        self._field = self._value = b""
        self._parts = 0
        self._ended = False
        try:
            self._parser = MultipartParser(parameters[b"boundary"], self._callbacks())
        except (KeyError, FormParserError) as error:
            raise InvalidMultipart("The Content-Type names no usable boundary.") from error

    async def next_part(self) -> Part | None:
        """Return the next part, or None after the last. Raises InvalidMultipart."""
        while True:
            found = await self._next()
            if isinstance(found, Part):
                return found
            if found is None and self._ended and not self._found:
                return None

    async def content(self) -> AsyncIterator[bytes]:
        """Yield the current part's content. Raises InvalidMultipart."""
        while (found := await self._next()) is not None:
            assert isinstance(found, bytes)
            yield found

    async def _next(self) -> Part | bytes | None:
        """Return a part's head, a piece of its content, or None for its end or the form's."""
        while not self._found:
            if self._ended:
                return None
            chunk = await anext(self._body, None)
            if chunk is None:
                raise InvalidMultipart("The form ends in the middle.")
            try:
                self._parser.write(chunk)
            except FormParserError as error:
                raise InvalidMultipart(str(error)) from error
        return self._found.popleft()

    def _callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": lambda data, start, end: self._found.append(bytes(data[start:end])),
            "on_part_end": lambda: self._found.append(None),
            "on_end": self._end,
        }

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise InvalidMultipart(f"The form has more than {MAX_PARTS} parts.")
        self._headers = {}

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._headers[self._field.decode("latin-1").lower()] = self._value.decode(errors="replace")
        self._field = self._value = b""

    def _headers_finished(self) -> None:
        disposition, parameters = parse_options_header(self._headers.get("content-disposition", "").encode())
        if disposition != b"form-data" or b"name" not in parameters:
            raise InvalidMultipart("A part has no `Content-Disposition: form-data` with a name.")
        filename = parameters.get(b"filename")
        self._found.append(
            Part(
                name=parameters[b"name"].decode(errors="replace"),
                filename=None if filename is None else filename.decode(errors="replace"),
                content_type=self._headers.get("content-type"),
            )
        )

    def _end(self) -> None:
        self._ended = True
