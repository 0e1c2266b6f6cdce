"""Request bodies, bounded in size and in time before anything is made of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import timedelta

import orjson
from pydantic import JsonValue
from starlette.requests import ClientDisconnect, Request

from heavylift_api.errors import BodyTooLarge, BodyTooSlow, InvalidJson, InvalidRequest, UnsupportedMediaType

JSON_REFUSALS = (InvalidJson, BodyTooSlow, BodyTooLarge, UnsupportedMediaType, InvalidRequest)
"""What may be wrong with any JSON body, before and while a model is made of it."""


async def read_json(request: Request, *, limit: int, within: timedelta) -> JsonValue:
    """Return the body's JSON.

    Raises UnsupportedMediaType, BodyTooLarge, BodyTooSlow or InvalidJson (with the position). orjson refuses
    documents that are nested deeper than 1,024 levels.
    """
    _check_json(request)
    check_announced_size(request, limit)
    try:
        async with asyncio.timeout(within.total_seconds()):
            body = await _read(request, limit)
    except TimeoutError as error:
        raise BodyTooSlow(f"The body did not arrive within {within.total_seconds():g} s.") from error
    return parse_json(body)


def parse_json(text: bytes) -> JsonValue:
    """Return what the JSON says. Raises InvalidJson."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidJson(f"{error.msg} at line {error.lineno}, column {error.colno}.", position=error.pos) from error


def check_announced_size(request: Request, limit: int) -> None:
    """Raise BodyTooLarge if the Content-Length says so already: before the client sends what nobody wants."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise too_large(limit)


def too_large(limit: int) -> BodyTooLarge:
    """Return the problem that names the limit."""
    return BodyTooLarge(f"The body is larger than {limit} bytes, the most this server takes.", limit=limit)


async def chunks(request: Request, *, idle_timeout: timedelta) -> AsyncIterator[bytes]:
    """Yield the body as it arrives. Raises BodyTooSlow when nothing comes for `idle_timeout`.

    What is not read stays in the kernel: the client is slowed down to what the consumer takes.
    """
    seconds = idle_timeout.total_seconds()
    async with aclosing(request.stream()) as stream:
        while True:
            try:
                async with asyncio.timeout(seconds):
                    chunk = await anext(stream, None)
            except TimeoutError as error:
                raise BodyTooSlow(f"Nothing of the body arrived for {seconds:g} s.") from error
            if chunk is None:
                return
            if chunk:
                yield chunk


async def _read(request: Request, limit: int) -> bytes:
    # Most bodies come in one message; Request.stream would cost a generator more on the busiest route.
    parts: list[bytes] = []
    size = 0
    more = True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise too_large(limit)
        parts.append(part)
        more = message.get("more_body", False)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _check_json(request: Request) -> None:
    # A browser sends other types across origins without asking first; JSON it does not.
    given = request.headers.get("content-type", "")
    if given == "application/json":
        return
    media_type = given.partition(";")[0].strip().lower()
    if media_type != "application/json" and not (
        media_type.startswith("application/") and media_type.endswith("+json")
    ):
        raise UnsupportedMediaType
