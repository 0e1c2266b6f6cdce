"""An API process under measurement, pinned to a core of its own where there are two."""

from __future__ import annotations

import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import orjson

from bench.contenders import HEAVYLIFT, PEERS
from bench.environments import BENCH
from bench.load import Load, Plan
from bench.machine import cores
from bench.processes import Program, run, wait_until
from bench.redis_server import RedisServer
from heavylift.dev.ports import HOST, free_port

OWN_API = ("-m", "heavylift_api")


class HttpServer:
    """A server process, to be used in a `with` block."""

    def __init__(self, command: Sequence[str], server: RedisServer, notes: Path) -> None:
        self.port = free_port()
        env = HEAVYLIFT.env(server, notes) | {"HEAVYLIFT_PORT": str(self.port), "HEAVYLIFT_HOST": HOST}
        arguments = [part.format(port=self.port) for part in command]
        self.program = Program(
            [sys.executable, *arguments], env=env, log=notes.with_suffix(".http.log"), cores=cores()[0]
        )

    @classmethod
    def of_peer(cls, module: str, server: RedisServer, notes: Path) -> HttpServer:
        """Return a server of an application in bench/peers."""
        return cls([str(PEERS / "serve.py"), module, "{port}"], server, notes)

    def __enter__(self) -> HttpServer:
        wait_until(self._listens, what="the API's first answer", seconds=20, programs=[self.program])
        return self

    def __exit__(self, *_: object) -> None:
        self.program.stop()

    def under_load(self, path: str, body: bytes, *, seconds: float) -> Load:
        """Put it under load from the other core."""
        plan = Plan(port=self.port, path=path, body=body.decode(), server_pid=self.program.pid, seconds=seconds)
        others = ",".join(map(str, cores()[1]))
        command = [sys.executable, "-m", "bench.load", orjson.dumps(asdict(plan)).decode()]
        output = run(["taskset", "-c", others, *command], env={"PYTHONPATH": str(BENCH.parent)}, seconds=60)
        return Load(**orjson.loads(output))

    def _listens(self) -> bool:
        with suppress(OSError):
            socket.create_connection((HOST, self.port), timeout=0.5).close()
            return True
        return False
