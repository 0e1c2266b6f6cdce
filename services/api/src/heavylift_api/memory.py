"""Whether Redis has memory left for new jobs.

A Redis that has reached its maxmemory refuses to record progress and logs of the jobs under way too. So new jobs are
refused earlier, at the door, by a look at Redis's memory that no request waits for. Between two looks submits may
still reach the limit: then the script is refused before its first write (StoreFull), with the same answer.
"""

from __future__ import annotations

import asyncio

import structlog

from heavylift.errors import StoreFull, StoreUnavailable
from heavylift.store import Call, Reply
from heavylift.tasks import end
from heavylift_api.store import BoundedStore

INTERVAL = 1.0
"""Seconds between two looks: at 20,000 submits a second Redis fills by some 50 MB meanwhile."""

log = structlog.get_logger()


class Memory:
    """Looks at Redis's memory, as long as it is started."""

    def __init__(self, store: BoundedStore, *, full_at: float) -> None:
        self._store = store
        self._full_at = full_at
        self._full = False
        self._looking: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look."""
        self._looking = asyncio.create_task(self._look_again_and_again())

    async def stop(self) -> None:
        """Look no more."""
        if self._looking is not None:
            await end(self._looking)

    def check(self) -> None:
        """Raise StoreFull if the last look found too little memory left for new jobs."""
        if self._full:
            raise StoreFull(f"Redis uses {self._full_at:.0%} of its maxmemory or more")

    async def _look_again_and_again(self) -> None:
        while True:
            try:
                share = await self._store.run(Call([("INFO", "memory")], _used_share))
                self._note(share >= self._full_at)
            except StoreUnavailable:
                pass  # who submits hears of it by itself
            except Exception:
                log.warning("redis_memory_unknown", exc_info=True)
            await asyncio.sleep(INTERVAL)

    def _note(self, full: bool) -> None:
        if full and not self._full:
            log.warning("redis_nearly_full", remedy="raise maxmemory, or wait until jobs end and are forgotten")
        self._full = full


def _used_share(replies: list[Reply]) -> float:
    """Return how much of its maxmemory Redis uses, counted as Redis does; 0 without a limit."""
    info = replies[0]
    if isinstance(info, bytes):
        lines = (line.partition(":") for line in info.decode().splitlines())
        info = {name: value for name, _, value in lines}
    assert isinstance(info, dict)
    limit = int(info.get("maxmemory", 0))
    used = int(info.get("used_memory", 0)) - int(info.get("mem_not_counted_for_evict", 0))
    return used / limit if limit else 0.0
