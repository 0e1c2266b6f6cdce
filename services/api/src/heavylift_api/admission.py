"""Whether a job could be taken, asked before its file is sent: gigabytes should not travel for a 503."""

from __future__ import annotations

from collections.abc import Callable

from heavylift.errors import QueueFull
from heavylift.model import JobStatus
from heavylift.operations.replies import to_int
from heavylift.store import Call
from heavylift_api.memory import Memory
from heavylift_api.store import BoundedStore

_COUNTED = (JobStatus.QUEUED, JobStatus.SCHEDULED)
"""As in scripts/submit.lua."""


class Admission:
    """Looks at Redis's memory and a queue's bound. The submit behind the file has the last word."""

    def __init__(self, store: BoundedStore, memory: Memory, *, bound_of: Callable[[str], int]) -> None:
        self._store = store
        self._memory = memory
        self._bound_of = bound_of

    async def check(self, queue: str) -> None:
        """Raise StoreFull, QueueFull or StoreUnavailable if a job would be refused now."""
        self._memory.check()
        bound = self._bound_of(queue)
        if bound:
            counts = [("ZCARD", self._store.keys.index(queue, status)) for status in _COUNTED]
            waiting = await self._store.run(Call(counts, lambda replies: sum(map(to_int, replies))))
            if waiting >= bound:
                raise QueueFull(queue, bound)
