"""Wakes the loop when a job comes into an empty queue, so that it decides at once and not with its next tick.

A hint: it may be lost, and then the tick comes as ever.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

import redis
import structlog

from heavylift.operations import woken
from heavylift.store import Store

LOOK_SECONDS = 0.2
"""How long it listens before it looks whether queues were added, or it is to stop."""
RETRY_SECONDS = 1.0
APART = 0.1
"""Least seconds between two turns of the loop, however many queues wake."""

log = structlog.get_logger()


class Waker:
    """Listens in a thread of its own, on a connection of its own."""

    def __init__(self, store: Store, queues: Callable[[], Iterable[str]], stop: threading.Event) -> None:
        self._store = store
        self._queues = queues
        self._stop = stop
        self._woken = threading.Event()
        self._rested_at = float("-inf")
        self._thread = threading.Thread(target=self._run, name="waker", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def rest(self, seconds: float) -> None:
        """Wait for so long, or until a queue wakes or all is to stop; some time since the last wait in any case."""
        self._woken.wait(seconds)
        self._woken.clear()
        self._stop.wait(max(0.0, self._rested_at + APART - time.monotonic()))
        self._rested_at = time.monotonic()

    def _run(self) -> None:
        failed = False
        while not self._stop.is_set():
            try:
                self._listen()
                failed = False
            except (redis.RedisError, OSError) as error:
                if not failed:
                    log.warning("waker_lost_redis", reason=str(error))
                failed = True
                self._stop.wait(RETRY_SECONDS)
        self._woken.set()

    def _listen(self) -> None:
        with self._store.redis.pubsub() as pubsub:
            heard: set[str] = set()
            while not self._stop.is_set():
                channels = {woken(self._store.keys, queue) for queue in self._queues()}
                if new := channels - heard:
                    pubsub.subscribe(*new)
                    heard |= new
                    self._woken.set()  # what came before it listened
                if not heard:
                    self._stop.wait(LOOK_SECONDS)
                    continue
                message = pubsub.get_message(ignore_subscribe_messages=True, timeout=LOOK_SECONDS)
                if message is not None:
                    self._woken.set()
