"""A task is ended although one cancellation of it was lost."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from heavylift.tasks import end


async def forever(*, lost: int) -> None:
    """Go on as a loop does in which `asyncio.wait_for` drops that many cancellations, as it may up to Python 3.11."""
    for _ in range(lost):
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
    await asyncio.Event().wait()


@pytest.mark.parametrize("lost", [0, 1, 2])
async def test_it_is_cancelled_until_it_has_ended(monkeypatch: pytest.MonkeyPatch, lost: int) -> None:
    monkeypatch.setattr("heavylift.tasks.AGAIN", 0.01)
    tasks = [asyncio.create_task(forever(lost=lost)) for _ in range(2)]
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await end(*tasks)
    assert all(task.cancelled() for task in tasks)


async def test_what_has_ended_already_is_left_alone() -> None:
    done = asyncio.create_task(asyncio.sleep(0))
    await done
    await end(done)
    await end()
    assert not done.cancelled()
