"""Flower's page and route about queues, answered from the store: workers are not asked which queues they serve."""

from __future__ import annotations

from collections.abc import Iterable

from flower.api.tasks import GetQueueLengths
from flower.views.broker import BrokerView

from heavylift.operations import queue_state, read_queues
from heavylift.store import AsyncStore


class Queues:
    """What Flower calls a broker."""

    def __init__(self, store: AsyncStore) -> None:
        self._store = store

    async def queues(self, _names: Iterable[str]) -> list[dict[str, str | int]]:
        """Return all queues that a job type ever had, with how many jobs wait and run."""
        keys = self._store.keys
        names = sorted(await self._store.run(read_queues(keys)))
        states = [(name, await self._store.run(queue_state(keys, name))) for name in names]
        return [
            {
                "name": name,
                "messages": state.waiting + state.running,
                "messages_ready": state.waiting,
                "messages_unacknowledged": state.running,
            }
            for name, state in states
        ]


class _FromTheStore:
    def get_broker(self) -> Queues:
        return self.application.queues  # ty: ignore[missing-attribute] - the handler's; a Site

    def get_active_queue_names(self) -> list[str]:
        return []


class QueuesPage(_FromTheStore, BrokerView):
    """`/broker`."""


class QueueLengths(_FromTheStore, GetQueueLengths):
    """`/api/queues/length`."""
