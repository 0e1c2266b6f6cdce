"""The API ends at any moment: what looks at Redis again and again is stopped wherever it is."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from heavylift.settings import load
from heavylift.store import AsyncStore, Call
from heavylift_api.hub import Hub
from heavylift_api.memory import Memory
from heavylift_api.settings import ApiSettings
from heavylift_api.store import BoundedStore

pytestmark = pytest.mark.integration

SECONDS = 5.0
"""A stop that does not end at all takes longer."""


@pytest.mark.parametrize("turns", range(12))
@pytest.mark.parametrize("part", ["hub", "memory"])
async def test_it_stops_in_whatever_turn_of_the_loop(redis_url: str, tmp_path: Path, part: str, turns: int) -> None:
    """Up to Python 3.11 a cancellation is lost in the turn in which redis-py has written a command."""
    connections = AsyncStore.from_settings(
        load(ApiSettings, redis_url=redis_url, artifacts_url=f"file://{tmp_path}/artifacts")
    )
    store = BoundedStore(connections, timeout=timedelta(seconds=SECONDS))
    await store.run(Call([("PING",)], lambda _: None))  # a connection is open
    looking = Hub(connections) if part == "hub" else Memory(store, full_at=0.9)
    looking.start()
    for _ in range(turns):
        await asyncio.sleep(0)
    stop = asyncio.create_task(looking.stop())
    done, _ = await asyncio.wait([stop], timeout=SECONDS)
    stop.cancel()
    await connections.aclose()
    assert done, f"{part} goes on after {turns} turns"
    stop.result()
