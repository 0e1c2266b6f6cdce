"""`/metrics` and `/livez`, on a port of their own."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler

import structlog
from prometheus_client import make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

from heavylift.errors import ConfigurationError
from heavylift_controller.loop import Loop

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

Application = Callable[["WSGIEnvironment", "StartResponse"], Iterable[bytes]]

log = structlog.get_logger()


class _Handler(WSGIRequestHandler):
    timeout = 10
    """Seconds a client may be silent before its thread ends."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Log nothing: probes come every few seconds."""


def application(loops: Sequence[Loop]) -> Application:
    """Return the WSGI application."""
    metrics = make_wsgi_app()

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            return metrics(environ, start_response)
        status, text = _livez(loops) if path == "/livez" else ("404 Not Found", "There are /metrics and /livez.")
        start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
        return [text.encode() + b"\n"]

    return app


@contextlib.contextmanager
def serve(app: Application, host: str, port: int | None) -> Generator[None]:
    """Serve the application from a thread while the block runs, or not at all without a port.

    Raises
    ------
    ConfigurationError
        Nothing can listen there.

    """
    if port is None:
        yield
        return
    server = _listen(host, port)
    server.set_app(app)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="endpoints", daemon=True)
    thread.start()
    log.info("endpoints_listening", host=host, port=server.server_port)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def _listen(host: str, port: int) -> ThreadingWSGIServer:
    try:
        family, *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        server_class = type("_Server", (ThreadingWSGIServer,), {"address_family": family})
        return server_class((host, port), _Handler)
    except OSError as error:
        raise ConfigurationError(
            f"Cannot listen on {host}, port {port} (HEAVYLIFT_CONTROLLER_METRICS_HOST, "
            f"HEAVYLIFT_CONTROLLER_METRICS_PORT): {error}"
        ) from error


def _livez(loops: Sequence[Loop]) -> tuple[str, str]:
    stalled = {loop.name: age for loop in loops if (age := loop.stalled_for()) is not None}
    if not stalled:
        return "200 OK", "ok"
    return "503 Service Unavailable", "\n".join(f"{name}: no turn for {age:.0f} s" for name, age in stalled.items())
