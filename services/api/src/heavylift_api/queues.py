"""What the queues hold."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from heavylift.operations import queue_state, read_queues
from heavylift_api.store import BoundedStore
from heavylift_api.views import QueueView


class Queues:
    """All queues that a published job type ever had."""

    def __init__(self, store: BoundedStore, *, bound_of: Callable[[str], int]) -> None:
        self._store = store
        self._bound_of = bound_of

    async def all(self) -> list[QueueView]:
        """Return all queues by name. Raises StoreUnavailable."""
        names = sorted(await self._store.run(read_queues(self._store.keys)))
        states = await asyncio.gather(*(self._store.run(queue_state(self._store.keys, name)) for name in names))
        return [
            QueueView(
                queue=name,
                waiting=state.waiting,
                running=state.running,
                scheduled=state.scheduled,
                dead=state.dead,
                oldest_age_seconds=state.oldest_age_seconds,
                bound=self._bound_of(name) or None,
            )
            for name, state in zip(names, states, strict=True)
        ]
