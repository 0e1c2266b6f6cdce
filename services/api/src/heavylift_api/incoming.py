"""A file on its way in: the whole body of a request, or one part of a form."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from heavylift_api.errors import BodyTooLarge, FieldError, InvalidMultipart, InvalidRequest
from heavylift_api.multipart import MultipartReader, Part
from heavylift_api.pointers import pointer

DEFAULT_CONTENT_TYPE = "application/octet-stream"

FIELDS = ("type", "input")
"""A form's fields beside `file`."""

MAX_FIELD_SIZE = 1024 * 1024
"""Bytes of a form's field other than the file: `input` is kept in Redis's memory."""


class Incoming(Protocol):
    """A file and what comes with it. `fields` are what is known so far; they are complete after `finish`."""

    fields: dict[str, str]
    filename: str | None
    content_type: str
    how_to_name_type: str
    """What a client is told that named no job type."""

    def error(self, field: str, detail: str) -> FieldError:
        """Return what is wrong with a field, at its place in the request."""
        ...

    async def begin(self) -> None:
        """Read up to the file. Raises a Problem."""
        ...

    def content(self) -> AsyncIterator[bytes]:
        """Yield the file."""
        ...

    async def finish(self) -> None:
        """Read what follows the file. Raises a Problem."""
        ...


class RawBody:
    """The body is the file; the fields are query parameters."""

    how_to_name_type = "Give ?type= in the address."

    def __init__(
        self, body: AsyncIterator[bytes], *, fields: dict[str, str], filename: str | None, content_type: str
    ) -> None:
        self.fields = fields
        self.filename = filename
        self.content_type = content_type or DEFAULT_CONTENT_TYPE
        self._body = body

    def error(self, field: str, detail: str) -> FieldError:
        """Return what is wrong with a query parameter."""
        return FieldError(parameter=field, detail=detail)

    async def begin(self) -> None:
        """There is nothing before the file."""

    def content(self) -> AsyncIterator[bytes]:
        """Yield the file."""
        return self._body

    async def finish(self) -> None:
        """There is nothing behind the file."""


class Form:
    """The file is a form's field `file`; the fields `type` and `input` may stand before or behind it."""

    how_to_name_type = "Send the form's field `type` before `file`, or give ?type= in the address."

    def __init__(
        self, body: AsyncIterator[bytes], *, form_type: str, fields: dict[str, str], filename: str | None
    ) -> None:
        self.fields = dict(fields)
        self._asked = set(fields)
        self.filename = filename
        self.content_type = DEFAULT_CONTENT_TYPE
        self._reader = MultipartReader(form_type, body)

    def error(self, field: str, detail: str) -> FieldError:
        """Return what is wrong with a form's field, or with the query parameter in its place."""
        if field in self._asked:
            return FieldError(parameter=field, detail=detail)
        return FieldError(pointer=pointer([field]), detail=detail)

    async def begin(self) -> None:
        """Read the fields before the file. Raises InvalidMultipart, or InvalidRequest if there is no file."""
        part = await self._read_fields()
        if part is None:
            raise InvalidRequest(
                "The form has no field `file`.", errors=[FieldError(pointer="/file", detail="Missing.")]
            )
        self.filename = self.filename or part.filename
        self.content_type = part.content_type or DEFAULT_CONTENT_TYPE

    def content(self) -> AsyncIterator[bytes]:
        """Yield the file."""
        return self._reader.content()

    async def finish(self) -> None:
        """Read the fields behind the file. Raises InvalidMultipart."""
        if await self._read_fields() is not None:
            raise InvalidMultipart("The form holds more than one `file`.")

    async def _read_fields(self) -> Part | None:
        """Read fields up to the next file, and return its head."""
        while (part := await self._reader.next_part()) is not None:
            if part.name == "file":
                return part
            if part.name not in FIELDS:
                detail = f"A form has the field `file`, and may have {' and '.join(f'`{name}`' for name in FIELDS)}."
                raise InvalidRequest(errors=[FieldError(pointer=pointer([part.name]), detail=detail)])
            self.fields[part.name] = await self._read_field()
            self._asked.discard(part.name)
        return None

    async def _read_field(self) -> str:
        value = b""
        async for chunk in self._reader.content():
            value += chunk
            if len(value) > MAX_FIELD_SIZE:
                raise BodyTooLarge(f"A form's field other than `file` is larger than {MAX_FIELD_SIZE} bytes.")
        return value.decode(errors="replace")
