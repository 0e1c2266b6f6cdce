"""Flower's web application, told apart from a broker: it only shows what the listener heard and the store says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence

from celery import Celery
from flower.app import Flower
from flower.command import extract_settings
from flower.urls import settings as tornado_settings
from tornado.ioloop import IOLoop
from tornado.options import options
from tornado.web import url

from heavylift.store import AsyncStore
from heavylift_flower.listener import Listener
from heavylift_flower.queues import QueueLengths, Queues, QueuesPage
from heavylift_flower.settings import FlowerSettings

GONE_AFTER = 3600
"""Seconds after which a worker that ended is shown no more, nor in metrics: pods come and go under new names."""


class Site(Flower):
    """Flower without remote control."""

    @classmethod
    def of(cls, settings: FlowerSettings, users: Sequence[str]) -> Site:
        """Return the site. Raises ConfigurationError."""
        options.address, options.port = settings.flower_host, settings.flower_port
        options.basic_auth = list(users)
        options.url_prefix = settings.flower_url_prefix or None
        options.read_only, options.enable_events = True, False
        options.purge_offline_workers = GONE_AFTER
        extract_settings()
        app = Celery("heavylift", broker="memory://", set_as_current=False)  # what Flower could send would go nowhere
        loop = IOLoop.current()
        site = cls(options=options, capp=app, io_loop=loop, events=Listener(app, loop, settings), **tornado_settings)
        site.broker_uri = str(settings.redis_address)
        site.queues = Queues(AsyncStore.from_settings(settings, max_connections=4))
        prefix = f"/{settings.flower_url_prefix}" if settings.flower_url_prefix else ""
        site.add_handlers(
            ".*", [url(f"{prefix}/broker", QueuesPage, name="broker"), (f"{prefix}/api/queues/length", QueueLengths)]
        )
        return site

    queues: Queues

    def update_workers(self, workername: str | None = None) -> Awaitable[None]:  # noqa: ARG002 - Flower's signature
        """Ask workers nothing: they do not listen."""
        done = asyncio.get_event_loop().create_future()
        done.set_result(None)
        return done
