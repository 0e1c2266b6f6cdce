"""The process: settings, socket, signals."""

from __future__ import annotations

import signal
import sys

import structlog

from heavylift.errors import ConfigurationError
from heavylift.logs import configure
from heavylift.redis_check import check_redis
from heavylift.settings import load
from heavylift_flower.settings import FlowerSettings
from heavylift_flower.site import Site

USAGE_ERROR = 2
"""Exit code for what only a change of settings or surroundings helps against."""

QUIET = {"tornado.access": "ERROR"}
"""Probes come every few seconds."""

log = structlog.get_logger()


def main() -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code."""
    try:
        settings = load(FlowerSettings)
        configure(settings, quiet=QUIET)
        users = settings.users()
        check_redis(settings)
        site = Site.of(settings, users)
        port = _listen(site, settings)
    except ConfigurationError as error:
        print(f"heavylift-flower: {error}", file=sys.stderr)  # noqa: T201
        return USAGE_ERROR
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: site.io_loop.add_callback_from_signal(site.stop))
    log.info("flower_listening", host=settings.flower_host, port=port, users=len(users))
    site.start()
    log.info("flower_stopped")
    return 0


def _listen(site: Site, settings: FlowerSettings) -> int:
    try:
        return site.start_http_server()
    except OSError as error:
        raise ConfigurationError(
            f"Cannot listen on {settings.flower_host}, port {settings.flower_port} (HEAVYLIFT_FLOWER_HOST, "
            f"HEAVYLIFT_FLOWER_PORT): {error}"
        ) from error
