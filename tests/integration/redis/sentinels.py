"""A master, a replica, and the sentinels that watch them."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

from tests.fixtures_redis import RedisServer, free_port
from tests.waiting import wait_until

NAME = "jobs"
DOWN_AFTER_MS = 1000
"""Silence after which a sentinel takes the master for down. Redis's own default is 30 s, which nobody should keep."""


@dataclass
class Group:
    """Two servers and the ports of their sentinels."""

    servers: list[RedisServer]
    ports: list[int]

    @property
    def sentinels(self) -> str:
        """What HEAVYLIFT_REDIS_SENTINELS wants."""
        return ",".join(f"127.0.0.1:{port}" for port in self.ports)

    def env(self) -> dict[str, str]:
        return {"HEAVYLIFT_REDIS_SENTINELS": self.sentinels, "HEAVYLIFT_REDIS_SENTINEL_MASTER": NAME}

    def ask(self, *words: str, password: str | None = None) -> object:
        with redis.Redis(port=self.ports[0], password=password, decode_responses=True) as sentinel:
            return sentinel.execute_command("SENTINEL", *words)

    def master(self, password: str | None = None) -> RedisServer:
        _, port = self.ask("GET-MASTER-ADDR-BY-NAME", NAME, password=password)  # ty: ignore[not-iterable]
        return next(server for server in self.servers if server.port == int(port))


@contextmanager
def sentinel_group(
    folder: Path, *, binary: str | None = None, sentinels: int = 3, password: str | None = None
) -> Generator[Group]:
    """Start them, and wait until all know of each other. `password` is the sentinels' own."""
    with ExitStack() as stack:
        servers = []
        for name in ("one", "two"):
            (folder / name).mkdir()
            options = ("--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0", "--appendonly", "yes")
            servers.append(RedisServer(folder / name, *options, binary=binary).start())
            # Not stopped: one that has become the master waits 10 s for a replica that lags (`shutdown-timeout`).
            stack.callback(servers[-1].kill)
        with servers[1].client() as replica:
            replica.execute_command("REPLICAOF", "127.0.0.1", servers[0].port)
            wait_until(lambda: replica.info("replication")["master_link_status"] == "up", what="the replica's link")
        group = Group(servers, [free_port() for _ in range(sentinels)])
        for port in group.ports:
            stack.enter_context(_sentinel(folder, port, group, password))
        wait_until(lambda: _settled(group, password), 15, what="sentinels that know each other and the replica")
        yield group


@contextmanager
def _sentinel(folder: Path, port: int, group: Group, password: str | None) -> Generator[None]:
    quorum = len(group.ports) // 2 + 1
    lines = [
        f"port {port}",
        "bind 127.0.0.1",
        f"dir {folder}",
        f"logfile {folder}/sentinel-{port}.log",
        f"sentinel monitor {NAME} 127.0.0.1 {group.servers[0].port} {quorum}",
        f"sentinel down-after-milliseconds {NAME} {DOWN_AFTER_MS}",
        f"sentinel failover-timeout {NAME} 6000",
    ]
    if password:
        lines += [f"requirepass {password}", f"sentinel sentinel-pass {password}"]
    config = folder / f"sentinel-{port}.conf"
    config.write_text("\n".join(lines) + "\n")
    process = subprocess.Popen([group.servers[0].binary, str(config), "--sentinel"], stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


def _settled(group: Group, password: str | None) -> bool:
    found = []
    for port in group.ports:
        with contextlib.suppress(redis.ConnectionError), redis.Redis(port=port, password=password) as sentinel:
            state = sentinel.sentinel_masters().get(NAME, {})
            found.append((state.get("num-slaves"), state.get("num-other-sentinels")))
    return found == [(1, len(group.ports) - 1)] * len(group.ports)
