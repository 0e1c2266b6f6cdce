"""The leader's writes to Redis: each bears the number of its leadership, and a lower one than the newest does nothing.

So a controller that was frozen and thinks that it leads, while another one does, changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from heavylift.errors import HeavyliftError
from heavylift.operations import (
    QueueScene,
    call_workers,
    drain,
    forget_orders,
    forget_pools,
    forget_workers,
    kept_epoch,
    next_epoch,
    publish_pools,
    read_memories,
    read_pools,
    read_scenes,
    read_steering,
    save_memory,
)
from heavylift.store import Call, Store
from heavylift_controller.scaler.platform import Leadership


class Deposed(HeavyliftError):  # noqa: N818 - it says what happened
    """A newer leader has written: this one leads no more, whatever it thinks."""


@dataclass(frozen=True, slots=True)
class Term:
    """A leadership of ours."""

    number: int
    """By which the platform knows it."""
    leadership: Leadership

    def left(self) -> float:
        """Return for how many more seconds nobody else can lead."""
        return self.leadership.left() if self.leadership.epoch() == self.number else 0.0


class FencedStore:
    """Writes under one epoch. All raise StoreUnavailable, and those that are fenced Deposed."""

    def __init__(self, store: Store, term: Term) -> None:
        self.term = term
        self._store = store
        self._keys = store.keys
        self._epoch: int | None = None
        self._fenced: frozenset[str] = frozenset()

    @property
    def entered(self) -> bool:
        """Whether the epoch was drawn."""
        return self._epoch is not None

    def enter(self, queues: Sequence[str]) -> None:
        """Draw an epoch higher than any before, also where Redis has lost the newest that was drawn."""
        self._epoch = draw_epoch(self._store, self._store.run(read_scenes(self._keys, queues)))

    def fence(self, queues: Iterable[str]) -> None:
        """Keep older leaders from writing to these queues from now on."""
        for queue in sorted(set(queues) - self._fenced):
            self._drain(queue, (), ())
            self._fenced |= {queue}

    def mark(self, queues: Iterable[str], workers: Sequence[str]) -> None:
        """Have workers given no more jobs of these queues, and tell them."""
        for queue in queues:
            self._drain(queue, workers, ())
        self._store.run(call_workers(self._keys, workers))

    def release(self, queues: Iterable[str], workers: Sequence[str]) -> None:
        """Have workers given jobs again, and tell them."""
        for queue in queues:
            self._drain(queue, (), workers)
        self._store.run(call_workers(self._keys, workers))

    def save(self, kept: Mapping[str, bytes]) -> None:
        """Keep what the next leader needs of these pools, in one round trip."""
        calls = [save_memory(self._keys, pool, self._number, text) for pool, text in kept.items()]
        if not calls:
            return
        commands = [command for call in calls for command in call.commands]
        if not self._store.run(Call(commands, lambda replies: all(reply == 1 for reply in replies), calls[0].script)):
            raise Deposed

    def saved(self) -> Mapping[str, bytes]:
        """Return what the last leader has kept of each pool."""
        return self._store.run(read_memories(self._keys))

    def publish(self, statuses: Mapping[str, bytes]) -> None:
        """Publish statuses."""
        self._store.run(publish_pools(self._keys, statuses))

    def forget_other_pools(self, pools: Mapping[str, object]) -> None:
        """Take back what was published, kept and ordered of pools that are no more: one of that name begins anew."""
        orders = self._store.run(read_steering(self._keys))
        if gone := {*self._store.run(read_pools(self._keys)), *self.saved(), *orders} - set(pools):
            forget(self._store, gone)

    def forget_workers(self, workers: Sequence[str]) -> None:
        """Drop the reports of workers that are gone."""
        if workers:
            self._store.run(forget_workers(self._keys, workers))

    @property
    def _number(self) -> int:
        assert self._epoch is not None, "nothing is written before the epoch is drawn"
        return self._epoch

    def _drain(self, queue: str, mark: Sequence[str], release: Sequence[str]) -> None:
        if not self._store.run(drain(self._keys, queue, epoch=self._number, mark=mark, release=release)):
            raise Deposed


def draw_epoch(store: Store, scenes: Mapping[str, QueueScene]) -> int:
    """Return an epoch higher than any that has written, to these queues or to what is kept. Raises StoreUnavailable."""
    highest = max(store.run(kept_epoch(store.keys)), *(scene.epoch for scene in scenes.values()), 0)
    epoch = 0
    while epoch <= highest:
        epoch = store.run(next_epoch(store.keys))
    return epoch


def forget(store: Store, pools: Iterable[str]) -> None:
    """Drop what is published, remembered and ordered of these pools. Raises StoreUnavailable."""
    names = sorted(pools)
    orders = store.run(read_steering(store.keys))
    store.run(forget_orders(store.keys, [(pool, matter) for pool in names for matter in orders.get(pool, ())]))
    store.run(forget_pools(store.keys, names))
