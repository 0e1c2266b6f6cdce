"""Whether this process can take jobs."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

from heavylift.artifacts import ArtifactStore
from heavylift.errors import ArtifactStorageUnavailable, StoreUnavailable
from heavylift.store import Call
from heavylift_api.errors import NotReady
from heavylift_api.hub import Hub
from heavylift_api.store import BoundedStore

STORAGE_TRUST = 10.0
"""Seconds a storage that worked is trusted: the check writes to it, and probes come every few seconds."""


class Readiness:
    """Asks what the API depends on."""

    def __init__(self, store: BoundedStore, artifacts: ArtifactStore, hub: Hub, *, patience: timedelta) -> None:
        self._store = store
        self._artifacts = artifacts
        self._hub = hub
        self._patience = patience.total_seconds()
        self._storage_worked = float("-inf")

    async def check(self) -> None:
        """Raise NotReady that says what is missing."""
        if self._hub.closing:
            raise NotReady("The server is shutting down.")
        try:
            await self._store.run(Call([("PING",)], lambda _: None))
            await self._check_storage()
        except StoreUnavailable as error:
            raise NotReady(f"Redis: {error}") from error
        except ArtifactStorageUnavailable as error:
            raise NotReady(f"Artifact storage: {error}") from error
        except TimeoutError as error:
            raise NotReady(f"Artifact storage did not answer within {self._patience:g} s.") from error

    async def _check_storage(self) -> None:
        if time.monotonic() - self._storage_worked < STORAGE_TRUST:
            return
        async with asyncio.timeout(self._patience):
            await self._artifacts.check_async()
        self._storage_worked = time.monotonic()
