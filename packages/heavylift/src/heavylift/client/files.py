"""Reading an upload block by block, so that a film of any size takes constant memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

# 256 KiB: larger blocks move no more bytes a second over loopback, smaller ones cost system calls.
_BLOCK = 256 * 1024


def read_blocks(path: Path, on_sent: Callable[[int], None] | None) -> Iterator[bytes]:
    """Yield the file's content; tell `on_sent` how many bytes were taken so far."""
    sent = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block
            sent += len(block)
            if on_sent is not None:
                on_sent(sent)


async def read_blocks_async(path: Path, on_sent: Callable[[int], None] | None) -> AsyncIterator[bytes]:
    """Yield the file's content without blocking the event loop."""
    blocks = read_blocks(path, on_sent)
    while block := await asyncio.to_thread(_next_block, blocks):
        yield block


def _next_block(blocks: Iterator[bytes]) -> bytes:
    return next(blocks, b"")
