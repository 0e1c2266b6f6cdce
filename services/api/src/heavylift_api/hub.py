"""Who waits for which job, on one Redis pub/sub connection a process.

The problem: a message may be lost (Redis restarts, the connection breaks, the message comes between a reader's look
and its subscription), and a reader must miss no event. The invariant: a message is only a hint to look again. Watchers
are also woken when their subscription is confirmed and whenever the connection was opened anew, so that whatever
happened unheard is read then. What is not guaranteed: that a hint comes at all; watchers look now and then anyway.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Generator
from contextlib import contextmanager

import structlog
from redis.asyncio.client import PubSub

from heavylift.answers import UNAVAILABLE
from heavylift.ids import JobId
from heavylift.store import AsyncStore
from heavylift.tasks import end

RECONNECT_PAUSE = 0.5
"""Seconds between two tries to reach Redis again."""

_IDLE = 1.0
"""Seconds one read waits: below the connection's own time limit, which would be an error."""

log = structlog.get_logger()


class Watch:
    """One reader's interest in one job."""

    def __init__(self) -> None:
        self._hint = asyncio.Event()

    def wake(self) -> None:
        """Let the reader look."""
        self._hint.set()

    async def wait(self, seconds: float) -> bool:
        """Wait for a hint, at most so long; tell whether one came."""
        try:
            async with asyncio.timeout(seconds):
                await self._hint.wait()
        except TimeoutError:
            return False
        self._hint.clear()
        return True


class Hub:
    """Wakes the watchers of jobs something happened to."""

    def __init__(self, store: AsyncStore) -> None:
        self._store = store
        self._watches: dict[bytes, set[Watch]] = {}
        self._pubsub: PubSub | None = None
        self._task: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.closing = False

    def start(self) -> None:
        """Begin to listen."""
        self._task = asyncio.create_task(self._run())

    def close(self) -> None:
        """Let all readers find `closing` set."""
        self.closing = True
        self._wake_all()

    async def stop(self) -> None:
        """Stop listening."""
        self.close()
        if self._task is not None:
            await end(self._task)

    @contextmanager
    def watch(self, job_id: JobId) -> Generator[Watch]:
        """Watch a job. The first look is the caller's own; it is told to look again once the hints are sure to come."""
        channel = self._store.keys.told(*job_id).encode()
        watch = Watch()
        watches = self._watches.setdefault(channel, set())
        watches.add(watch)
        if len(watches) == 1:
            self._send("SUBSCRIBE", channel)
        try:
            yield watch
        finally:
            watches.discard(watch)
            if not watches and self._watches.get(channel) is watches:
                del self._watches[channel]
                self._send("UNSUBSCRIBE", channel)

    def _send(self, command: str, channel: bytes) -> None:
        task = asyncio.create_task(self._subscribe(command, channel))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _subscribe(self, command: str, channel: bytes) -> None:
        # Without a connection there is nothing to do: a new one begins with all channels there are.
        if self._pubsub is None or (command == "SUBSCRIBE") != (channel in self._watches):
            return
        with contextlib.suppress(*UNAVAILABLE):  # the reading side notices, and connects again
            await (self._pubsub.subscribe if command == "SUBSCRIBE" else self._pubsub.unsubscribe)(channel)

    async def _run(self) -> None:
        while True:
            try:
                await self._listen()
            except UNAVAILABLE as error:
                log.warning("event_hints_interrupted", reason=str(error))
            except Exception:
                log.exception("event_hints_failed")
            await asyncio.sleep(RECONNECT_PAUSE)

    async def _listen(self) -> None:
        async with self._store.redis.pubsub() as pubsub:
            # A channel of its own keeps the connection subscribed while nobody watches.
            await pubsub.subscribe(self._store.keys.base("api") + "hub")
            self._pubsub = pubsub  # from here on new watches subscribe on their own
            try:
                if self._watches:
                    await pubsub.subscribe(*self._watches)
                while True:
                    message = await pubsub.get_message(timeout=_IDLE)
                    if message is not None:
                        self._wake(message["channel"])
            finally:
                self._pubsub = None

    def _wake(self, channel: bytes) -> None:
        for watch in self._watches.get(channel, ()):
            watch.wake()

    def _wake_all(self) -> None:
        for channel in self._watches:
            self._wake(channel)
