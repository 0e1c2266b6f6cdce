"""Hears what workers tell, over connections as the settings want them: TLS, sentinels, a password that rotates.

It stands in the place of Flower's own thread, which binds a queue in Redis (a write, and more rights than looking
needs), pings workers, and after an outage of Redis waits as long as that took before it looks again.
"""

from __future__ import annotations

import time
from functools import partial

import redis
import structlog
from celery import Celery
from flower.events import Events, EventsState
from redis import exceptions
from tornado.ioloop import IOLoop

from heavylift.connections import connection_pool
from heavylift.errors import ConfigurationError
from heavylift.flower import channels, events_of
from heavylift_flower.settings import FlowerSettings

RECONNECT_SECONDS = 2.0
"""Pause between two tries to reach Redis; events told meanwhile are missed."""

LOOK_SECONDS = 5.0
"""How long one look for a message may take: the connection is tried in between."""

log = structlog.get_logger()


class Listener(Events):
    """The thread that feeds Flower's state."""

    state: EventsState

    def __init__(self, app: Celery, loop: IOLoop, settings: FlowerSettings) -> None:
        super().__init__(
            app,
            loop,
            enable_events=False,
            max_tasks_in_memory=settings.flower_max_tasks,
        )
        self._channels = channels(settings)
        self._pool = connection_pool(settings)
        self._away = False

    def run(self) -> None:
        """Listen until the process ends, however often Redis goes away."""
        while True:
            try:
                self._listen()
            except (exceptions.RedisError, ConfigurationError) as error:  # the latter: a password's file is gone
                if not self._away:
                    log.warning("redis_lost", reason=str(error))
                self._away = True
                time.sleep(RECONNECT_SECONDS)

    def _listen(self) -> None:
        with redis.Redis.from_pool(self._pool).pubsub(ignore_subscribe_messages=True) as told:
            told.subscribe(*self._channels)
            log.info("listening_to_workers", channels=self._channels)
            self._away = False
            while True:
                message = told.get_message(timeout=LOOK_SECONDS)
                if message:
                    self._hear(message["data"])

    def _hear(self, message: bytes) -> None:
        try:
            events = events_of(message)
        except (ValueError, TypeError, LookupError):
            log.warning("unreadable_event", begins=repr(message[:100]))
            return
        for event in events:
            event["local_received"] = time.time()
            self.io_loop.add_callback(partial(self.state.event, event))
