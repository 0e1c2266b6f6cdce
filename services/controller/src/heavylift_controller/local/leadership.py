"""Who leads among the controllers of one machine: whoever holds a key in Redis, which ends by itself."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable

import structlog

from heavylift.errors import StoreUnavailable
from heavylift.operations import local, next_epoch
from heavylift.operations.local import Lead
from heavylift.store import Store

PERIOD = 10.0
"""Seconds a lead holds without being renewed. After a killed controller its successor waits that long."""

RENEW_AFTER = 1.0
"""Seconds after which it is renewed by who asks: well before the five that a scale-in needs to be left."""

log = structlog.get_logger()


class LocalLeadership:
    """A lead over this machine's workers, renewed whenever somebody asks for it. For one thread."""

    def __init__(self, store: Store, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.token = uuid.uuid4().hex
        """By which the store knows who leads."""
        self._store = store
        self._clock = clock
        self._renewed_at = float("-inf")
        self._epoch: int | None = None

    def epoch(self) -> int | None:
        """Return the number of this leadership; None while another controller leads, or nobody can tell."""
        if self._clock() - self._renewed_at >= RENEW_AFTER:
            self._renew()
        return self._epoch if self.left() > 0 else None

    def left(self) -> float:
        """Return for how many more seconds nobody else can lead; 0 while not leading."""
        if self._epoch is None:
            return 0.0
        return max(0.0, self._renewed_at + PERIOD - self._clock())

    def end(self) -> None:
        """Let another controller lead at once. Never raises: without an answer of Redis the lead ends by itself."""
        if self._epoch is not None:
            self._epoch = None
            with contextlib.suppress(StoreUnavailable):
                self._store.run(local.end_lead(self._store.keys, self.token))

    def _renew(self) -> None:
        asked_at = self._clock()  # before Redis begins to count: who leads must not think so for longer than Redis
        try:
            lead = self._store.run(local.lead(self._store.keys, self.token, seconds=PERIOD))
            if lead is Lead.OTHER:
                self._epoch = None
                return
            # Also when it was kept: a lead that was taken while no number could be drawn.
            if lead is Lead.TAKEN or self._epoch is None:
                self._epoch = self._store.run(next_epoch(self._store.keys))
                log.info("leading", epoch=self._epoch)
        except StoreUnavailable:
            return
        self._renewed_at = asked_at
