"""The store as a request may use it: every answer within a bounded time."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TypeVar

from heavylift.constants import Keys
from heavylift.errors import StoreUnavailable
from heavylift.installation import Installation
from heavylift.store import AsyncStore, Call

T = TypeVar("T")


class BoundedStore:
    """Runs Calls, or gives up in time for the client to hear of it."""

    def __init__(self, store: AsyncStore, *, timeout: timedelta, installation: Installation | None = None) -> None:
        self.keys: Keys = store.keys
        self._installation = installation
        self._store = store
        self._seconds = timeout.total_seconds()

    async def run(self, call: Call[T]) -> T:
        """Run one Call. Raises StoreUnavailable.

        A connection's own time-outs do not bound the wait for a free connection and its opening taken together.
        """
        if self._installation is not None and not self._installation.claimed:
            raise StoreUnavailable("Redis could not be asked yet whether it belongs to this installation")
        try:
            async with asyncio.timeout(self._seconds):
                return await self._store.run(call)
        except TimeoutError as error:
            raise StoreUnavailable(f"Redis did not answer within {self._seconds:g} s") from error
