"""Content on its way into artifact storage: cut into pieces, measured and hashed as it passes.

Asynchronous content is read in its caller's task and handed over to the upload's thread. When the task ends early, the
hand-over ends with an error, upon which obstore aborts the upload: it would stay in S3 otherwise, invisible and billed.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterable, Iterator
from datetime import timedelta
from typing import IO, NamedTuple

PIECE = 1024 * 1024
"""Bytes hashed and handed to obstore at once; content no longer than this goes up in a single request."""

ABORT_PERIOD = timedelta(seconds=5)
"""How long a failed write waits for its upload's abort before it goes on; the abort itself is not cut short."""


class Stored(NamedTuple):
    """What was written: bytes and their SHA-256 in hex."""

    size: int
    sha256: str


class Content:
    """What was read so far, and the error that ended the reading, which is none of storage's."""

    def __init__(self) -> None:
        self.failure: BaseException | None = None
        self._size = 0
        self._digest = hashlib.sha256()

    def measure(self, piece: bytes) -> None:
        """Count and hash a piece."""
        self._size += len(piece)
        self._digest.update(piece)

    def stored(self) -> Stored:
        """Return size and digest of all pieces."""
        return Stored(self._size, self._digest.hexdigest())


class StreamContent(Content, Iterator[bytes]):
    """The pieces of a binary stream."""

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__()
        self._stream = stream
        self._ahead = [self._read()]

    @property
    def short(self) -> bool:
        """Whether the first piece, not taken yet, is all there is. Reads the second to know."""
        if len(self._ahead) == 1 and self._ahead[0]:
            self._ahead.append(self._read())
        return not self._ahead[-1]

    def __next__(self) -> bytes:
        piece = self._ahead.pop(0) if self._ahead else self._read()
        if not piece:
            raise StopIteration
        self.measure(piece)
        return piece

    def _read(self) -> bytes:
        try:
            return self._stream.read(PIECE)
        except BaseException as error:
            self.failure = error
            raise


class AsyncContent(Content):
    """The pieces of an asynchronous iterator, gathered until they are worth a hop to another thread."""

    def __init__(self, source: AsyncIterable[bytes]) -> None:
        super().__init__()
        self._source = aiter(source)

    async def next(self) -> bytes:
        """Return the next piece of at least PIECE bytes; a shorter one is the last, `b""` the end. Does not measure."""
        chunks: list[bytes] = []
        size = 0
        try:
            while size < PIECE:
                chunk = await anext(self._source)
                chunks.append(chunk)
                size += len(chunk)
        except StopAsyncIteration:
            pass
        except BaseException as error:
            self.failure = error
            raise
        return b"".join(chunks)


class Aborted(Exception):  # noqa: N818 - no error of its own, but the sign by which an upload is aborted
    """The content ended early."""


class HandOver(Iterator[bytes]):
    """Pieces between the caller's task and the upload's thread, which measures them; `b""`: the end, None: an abort."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(maxsize=1)

    def __next__(self) -> bytes:
        piece = asyncio.run_coroutine_threadsafe(self._queue.get(), self._loop).result()
        if piece is None:
            raise Aborted
        if not piece:
            raise StopIteration
        self._content.measure(piece)
        return piece

    async def give(self, piece: bytes, upload: asyncio.Future[None]) -> None:
        """Hand a piece over, or raise what ended the upload."""
        room = asyncio.ensure_future(self._queue.put(piece))
        try:
            await asyncio.wait({room, upload}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            room.cancel()
        if upload.done():
            upload.result()

    async def abort(self, upload: asyncio.Future[None]) -> None:
        """End an upload that still runs; whatever it says now is not news."""
        upload.add_done_callback(lambda done: done.cancelled() or done.exception())
        while not self._queue.empty():
            self._queue.get_nowait()
        self._queue.put_nowait(None)
        await asyncio.wait({upload}, timeout=ABORT_PERIOD.total_seconds())
