"""Whether this process can take jobs."""

from __future__ import annotations

from heavylift.errors import StoreUnavailable
from heavylift.store import Call

from heavylift_api.errors import NotReady
from heavylift_api.store import BoundedStore


class Readiness:
    """Asks what the API depends on."""

    def __init__(self, store: BoundedStore) -> None:
        self._store = store

    async def check(self) -> None:
        """Raise NotReady that says what is missing."""
        try:
            await self._store.run(Call([("PING",)], lambda _: None))
        except StoreUnavailable as error:
            raise NotReady(f"Redis: {error}") from error
