"""A Redis of a measurement's own: as the platform runs it (AOF, synced every second), empty, on a free port."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import redis

from bench.processes import Program, wait_until
from heavylift.dev.ports import HOST, free_port
from heavylift.dev.redis_server import find_binary, server_command


class RedisServer:
    """One server process, to be used in a `with` block."""

    def __init__(self, folder: Path, *, cores: frozenset[int] | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        self.url = f"redis://{HOST}:{port}/0"
        self.program = Program(
            server_command(find_binary(), port=port, folder=folder), env={}, log=folder / "redis.log", cores=cores
        )
        self.client = redis.Redis.from_url(self.url)

    def __enter__(self) -> RedisServer:
        wait_until(self._answers, what="redis-server's first answer", seconds=10, programs=[self.program])
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self.program.stop()

    def ask(self, *command: str) -> Any:
        """Return the reply to a command."""
        return self.client.execute_command(*command)

    def memory(self) -> int:
        """Return the bytes that data take, without buffers of clients and the AOF."""
        return int(self.ask("INFO", "memory")["used_memory_dataset"])

    def commands(self) -> int:
        """Return how many commands it has run, those inside scripts included."""
        return int(self.ask("INFO", "stats")["total_commands_processed"])

    def _answers(self) -> bool:
        try:
            return bool(self.ask("PING"))
        except redis.RedisError:
            return False
