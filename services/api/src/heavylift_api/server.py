"""The process: settings, socket, server."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import socket
import sys

import structlog
import uvicorn
from fastapi import FastAPI

from heavylift.errors import ConfigurationError
from heavylift.installation import CLAIM_PAUSE, Installation
from heavylift.logs import configure
from heavylift.redis_check import check_redis
from heavylift.settings import load
from heavylift_api.app import create_app
from heavylift_api.auth import check_exposure
from heavylift_api.settings import ApiSettings

KEEP_ALIVE_SECONDS = 75
"""Longer than load balancers keep idle connections (60 s), so that they never use one that was just closed."""

USAGE_ERROR = 2
"""Exit code for what only a change of settings or surroundings helps against."""

BACKLOG = 2048
"""Connections that wait to be accepted: what the event loop leaves for one turn during a burst."""

QUIET = {"uvicorn.error": "WARNING"}
"""It repeats what the `listening` event says, with the address it was given instead of the real one."""

log = structlog.get_logger()


def main() -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code."""
    try:
        settings = load(ApiSettings)
        configure(settings, quiet=QUIET)
        keys = settings.keys()
        check_exposure(settings.host, keys)
        check_redis(settings)
        installation = Installation(settings)
        installation.claim()
        app = create_app(settings, keys=keys, installation=installation)
        listener = listen(settings.host, settings.port)
    except ConfigurationError as error:
        return refused(error)
    # What start-up made lives as long as the process: looking through it again and again stops all requests for 50 ms.
    gc.collect()
    gc.freeze()
    with listener:
        log.info("listening", url=_url(listener), api_keys=len(keys))
        server = ApiServer(server_config(app, settings))
        with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises it again once it has shut down
            server.run(sockets=[listener])
    if installation.refusal:
        return refused(installation.refusal)
    return 0 if server.started else 1


def refused(error: ConfigurationError) -> int:
    """Say why the process ends; returns its exit code."""
    print(f"heavylift_api: {error}", file=sys.stderr)  # noqa: T201
    return USAGE_ERROR


class ApiServer(uvicorn.Server):
    """Ends the event streams when it shuts down: as requests they would go on until the grace is over.

    It ends by itself once Redis, which was away at the start, turns out to be another installation's.
    """

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept requests, and claim Redis beside them: until then they are answered with 503."""
        await super().startup(sockets)
        self._claiming = asyncio.create_task(self._claim(self._app.state.installation))

    async def _claim(self, installation: Installation) -> None:
        failure = ""
        while True:
            try:
                if await asyncio.to_thread(installation.claim):
                    return
                failure = ""
            except ConfigurationError:  # main() says it
                self.should_exit = True
                return
            except Exception as error:  # nobody awaits this task; until it is through, every request gets 503
                if repr(error) != failure:
                    log.exception("claim_failed")
                failure = repr(error)
            await asyncio.sleep(CLAIM_PAUSE)

    @property
    def _app(self) -> FastAPI:
        assert isinstance(self.config.app, FastAPI)
        return self.config.app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting, end the streams, and wait for all other requests, at most the grace."""
        self._claiming.cancel()
        self._app.state.services.hub.close()
        await super().shutdown(sockets)


def server_config(app: FastAPI, settings: ApiSettings) -> uvicorn.Config:
    """Return how the app is served."""
    return uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=round(settings.shutdown_grace.total_seconds()),
    )


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket. Raises ConfigurationError that says what is wrong with the address."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigurationError(
                f"Port {port} on {host} is taken: end the program that uses it, or set HEAVYLIFT_PORT to another."
            ) from error
        raise ConfigurationError(
            f"Cannot listen on {host}, port {port} (HEAVYLIFT_HOST, HEAVYLIFT_PORT): {error}"
        ) from error


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
