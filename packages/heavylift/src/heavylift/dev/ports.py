"""TCP ports of the loopback interface."""

from __future__ import annotations

import socket

from heavylift.dev.errors import StackError

HOST = "127.0.0.1"
_LAST_PORT = 65_535


def free_port() -> int:
    """Return a port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def require_free(port: int) -> int:
    """Return the port, or raise StackError if somebody listens on it."""
    if _is_free(port):
        return port
    raise StackError(
        f"Port {port} on {HOST} is taken. End the process that holds it, or choose another with --port "
        "(`make run PORT=…`)."
    )


def require_loopback(host: str | None) -> None:
    """Raise StackError if a setting asks for another address than this machine's own."""
    if host and host not in {HOST, "localhost"}:
        raise StackError(
            f"HEAVYLIFT_HOST is {host}, but the development stack serves {HOST} alone. Unset it; to serve others, "
            "start the parts themselves (`python -m heavylift_api`, see docs/operations.md)."
        )


def free_from(first: int) -> int:
    """Return the first free port from `first` on."""
    for port in range(first, min(first + 100, _LAST_PORT)):
        if _is_free(port):
            return port
    return free_port()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: connections of an ended server that linger in TIME_WAIT do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
