"""Ending asyncio tasks.

The problem: one `cancel()` may be lost. redis-py's async connections write inside `asyncio.wait_for`, which up to
Python 3.11 returns as if nothing had been said when the cancellation comes in the turn in which the write is done. A
task that loops then goes on for ever, and whoever waits for its end waits with it.
"""

from __future__ import annotations

import asyncio

AGAIN = 1.0
"""Seconds a task has to clean up before it is cancelled once more."""


async def end(*tasks: asyncio.Task[None]) -> None:
    """Cancel the tasks, again and again, until they have ended."""
    running = {task for task in tasks if not task.done()}
    while running:
        for task in running:
            task.cancel()
        _, running = await asyncio.wait(running, timeout=AGAIN)
