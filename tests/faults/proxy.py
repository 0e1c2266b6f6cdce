"""A TCP proxy between workers and Redis that breaks connections at chosen steps of chosen commands."""

from __future__ import annotations

import random
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from enum import StrEnum
from types import TracebackType

CHUNK = 1 << 16
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER that makes close() send a reset."""


class Step(StrEnum):
    """Where a connection breaks."""

    REQUEST_LOST = "before Redis saw it"
    REPLY_LOST = "after Redis did it"
    REPLY_CUT = "in the middle of the reply"


def broken(command: str, step: Step) -> str:
    """Return the name under which a break is counted."""
    return f"{command} broken {step}"


class Proxy:
    """Passes bytes on; every so often it breaks the connection at a step of a command. Use it as a context manager.

    Parameters
    ----------
    commands
        What to look for in a request, by the command's name, and how many pass between two breaks.
    """

    def __init__(
        self,
        port: int,
        commands: Mapping[str, tuple[bytes, int]],
        *,
        seed: int = 1,
    ) -> None:
        self._upstream = ("127.0.0.1", port)
        self._commands = commands
        self._rng = random.Random(seed)
        self._lock = threading.Lock()
        self._left = {name: every for name, (_, every) in commands.items()}
        self._turns: Counter[str] = Counter()
        self.breaks: Counter[str] = Counter()
        """What was broken where, and how often."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._breaking = False
        self._closed = False

    def __enter__(self) -> Proxy:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    @contextmanager
    def breaking(self) -> Generator[None]:
        """Break connections meanwhile."""
        self._breaking = True
        yield
        self._breaking = False

    @contextmanager
    def closed(self) -> Generator[None]:
        """Take no new connections meanwhile."""
        self._closed = True
        yield
        self._closed = False

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._closed:
                client.close()
                continue
            try:
                server = socket.create_connection(self._upstream, timeout=5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            for each in (client, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            Link(client, server, self.decide).start()

    def decide(self, request: bytes) -> Step | None:
        """Return the step at which to break this request, if its turn has come; each step in turn."""
        head = request[:200]
        with self._lock:
            for name, (pattern, every) in self._commands.items():
                if self._breaking and pattern in head:
                    self._left[name] -= 1
                    if self._left[name] <= 0:
                        self._left[name] = self._rng.randint(1, 2 * every)
                        self._turns[name] += 1
                        step = list(Step)[self._turns[name] % len(Step)]
                        self.breaks[broken(name, step)] += 1
                        return step
        return None


class Link:
    """One connection: two threads, one a direction."""

    def __init__(
        self,
        client: socket.socket,
        server: socket.socket,
        decide: Callable[[bytes], Step | None],
    ) -> None:
        self._client = client
        self._server = server
        self._decide = decide
        self._broken: Step | None = None

    def start(self) -> None:
        for target in (self._requests, self._replies):
            threading.Thread(target=target, daemon=True).start()

    def _requests(self) -> None:
        with suppress(OSError):
            while request := self._client.recv(CHUNK):
                self._broken = self._decide(request)
                if self._broken is Step.REQUEST_LOST:
                    break
                self._server.sendall(request)
        self._close()

    def _replies(self) -> None:
        with suppress(OSError):
            while reply := self._server.recv(CHUNK):
                if self._broken:
                    if self._broken is Step.REPLY_CUT:
                        self._client.sendall(reply[: len(reply) // 2])
                    break
                self._client.sendall(reply)
        self._close()

    def _close(self) -> None:
        for each in (self._client, self._server):
            with suppress(OSError):
                if self._broken:
                    each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                each.shutdown(socket.SHUT_RD)  # the other thread's recv returns
            each.close()
