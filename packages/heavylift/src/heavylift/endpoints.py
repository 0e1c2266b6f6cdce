"""Probes and `/metrics` of a process that serves nothing else, on a port of their own.

Not imported by the package itself: prometheus-client comes with the extra `endpoints`, and costs a worker that is not
watched a tenth of a second at its start.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import threading
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler

import structlog
from prometheus_client import disable_created_metrics, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

from heavylift.errors import ConfigurationError
from heavylift.settings import EndpointSettings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

Application = Callable[["WSGIEnvironment", "StartResponse"], Iterable[bytes]]

Check = Callable[[], str | None]
"""Returns what is wrong, in words for whoever reads `kubectl describe`; None if all is well."""

Page = Callable[[str], "tuple[str, Mapping[str, object]] | None"]
"""Returns the status (`200 OK`) and the JSON object of a path; None if it is not one of its paths."""

METRICS = "/metrics"

disable_created_metrics()  # a second series for every counter, which nobody asks for

log = structlog.get_logger()


class _Handler(WSGIRequestHandler):
    timeout = 10
    """Seconds a client may be silent before its thread ends."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Log nothing: probes come every few seconds."""


def application(checks: Mapping[str, Check], page: Page = lambda path: None) -> Application:  # noqa: ARG005
    """Return the WSGI application: each check at its path, with 200 or 503, `/metrics`, and what `page` answers."""
    metrics = make_wsgi_app()

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == METRICS:
            return metrics(environ, start_response)
        if answer := page(path):
            status, content = answer
            start_response(status, [("Content-Type", "application/json")])
            return [json.dumps(content).encode() + b"\n"]
        status, text = _checked(checks[path]) if path in checks else _unknown(checks)
        start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
        return [text.encode() + b"\n"]

    return app


@contextlib.contextmanager
def serve(app: Application, settings: EndpointSettings) -> Generator[None]:
    """Serve the application from a thread while the block runs, or not at all without a port.

    Raises
    ------
    ConfigurationError
        Nothing can listen there.

    """
    if settings.metrics_port is None:
        yield
        return
    server = _listen(settings.metrics_host, settings.metrics_port)
    server.set_app(app)
    # A forked child that kept it would hold the port after this process has ended.
    os.register_at_fork(after_in_child=server.socket.close)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="endpoints", daemon=True)
    thread.start()
    log.info("endpoints_listening", host=settings.metrics_host, port=server.server_port)
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
        if error.errno == errno.EADDRINUSE:
            raise ConfigurationError(
                f"Port {port} on {host} is taken: end the program that uses it,"
                " or set HEAVYLIFT_METRICS_PORT to another."
            ) from error
        raise ConfigurationError(
            f"Cannot listen on {host}, port {port} (HEAVYLIFT_METRICS_HOST, HEAVYLIFT_METRICS_PORT): {error}"
        ) from error


def _checked(check: Check) -> tuple[str, str]:
    wrong = check()
    return ("200 OK", "ok") if wrong is None else ("503 Service Unavailable", wrong)


def _unknown(checks: Mapping[str, Check]) -> tuple[str, str]:
    return "404 Not Found", f"There are {', '.join(checks)} and {METRICS}."
