"""The store's two front doors, sync and async. Each runs the same `Call`s (see operations.py).

A Call is one round trip. A script that Redis no longer knows (restart, failover, SCRIPT FLUSH) is loaded and the
Call repeated: NOSCRIPT means that nothing ran.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

import redis
import redis.asyncio
from redis import exceptions

from heavylift.constants import Keys
from heavylift.errors import StoreUnavailable
from heavylift.scripts import Script
from heavylift.settings import Settings

T = TypeVar("T")
Reply: TypeAlias = "list[Reply] | bytes | int | None"
Argument: TypeAlias = str | bytes | int | float

UNAVAILABLE = (
    exceptions.ConnectionError,
    exceptions.TimeoutError,
    exceptions.BusyLoadingError,
    exceptions.ReadOnlyError,
    exceptions.OutOfMemoryError,
    exceptions.TryAgainError,
    exceptions.ClusterDownError,
    exceptions.MasterDownError,
)
"""What ends by itself or by an operator's hand: the caller tries again later."""

_REFUSED = re.compile(r"(?:^|[ -])(?:OOM|MISCONF|NOREPLICAS|READONLY|BUSY|MASTERDOWN) ")
"""The same in words: redis-py has no class for some, and Redis 6 wraps what a script meets in its own error."""


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One round trip to Redis: a script, or plain read commands sent together, and how to read the reply."""

    commands: Sequence[Sequence[Argument]]
    parse: Callable[[list[Reply]], T]
    script: Script | None = None

    @classmethod
    def of(cls, script: Script, keys: Sequence[str], args: Sequence[Argument], parse: Callable[[Reply], T]) -> Call[T]:
        """Return a Call of one script."""
        command = ("EVALSHA", script.sha, len(keys), *keys, *args)
        return cls(commands=(command,), parse=lambda replies: parse(replies[0]), script=script)


class Store:
    """The sync front door, for workers and the controller. Not to be shared with forked children."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self.redis = client
        self.keys = keys

    @classmethod
    def from_settings(cls, settings: Settings) -> Store:
        """Return a store on the settings' Redis. Connects with the first call."""
        return cls(redis.Redis.from_pool(connection_pool(settings)), Keys(settings.key_prefix))

    def run(self, call: Call[T]) -> T:
        """Run one Call. Raises StoreUnavailable when Redis cannot answer or refuses writes."""
        with _translated():
            try:
                return call.parse(self._send(call))
            except exceptions.NoScriptError:
                self.redis.script_load(_source(call))
                return call.parse(self._send(call))

    def _send(self, call: Call[T]) -> list[Reply]:
        if len(call.commands) == 1:
            return [self.redis.execute_command(*call.commands[0])]
        pipeline = self.redis.pipeline(transaction=False)
        for command in call.commands:
            pipeline.execute_command(*command)
        return pipeline.execute()

    def close(self) -> None:
        """Close all connections."""
        self.redis.close()


class AsyncStore:
    """The async front door, for the API."""

    def __init__(self, client: redis.asyncio.Redis, keys: Keys) -> None:
        self.redis = client
        self.keys = keys

    @classmethod
    def from_settings(cls, settings: Settings, *, max_connections: int = 100) -> AsyncStore:
        """Return a store on the settings' Redis. Connects with the first call."""
        pool = redis.asyncio.BlockingConnectionPool.from_url(
            settings.redis_url,
            max_connections=max_connections,
            timeout=settings.redis_timeout.total_seconds(),
            **_connection_options(settings),
        )
        return cls(redis.asyncio.Redis.from_pool(pool), Keys(settings.key_prefix))

    async def run(self, call: Call[T]) -> T:
        """Run one Call. Raises StoreUnavailable when Redis cannot answer or refuses writes."""
        with _translated():
            try:
                return call.parse(await self._send(call))
            except exceptions.NoScriptError:
                await self.redis.script_load(_source(call))
                return call.parse(await self._send(call))

    async def _send(self, call: Call[T]) -> list[Reply]:
        if len(call.commands) == 1:
            return [await self.redis.execute_command(*call.commands[0])]
        pipeline = self.redis.pipeline(transaction=False)
        for command in call.commands:
            pipeline.execute_command(*command)
        return await pipeline.execute()

    async def aclose(self) -> None:
        """Close all connections."""
        await self.redis.aclose()


def connection_pool(settings: Settings) -> redis.ConnectionPool:
    """Return a pool of sync connections with the settings' address, credentials and time limits."""
    return redis.ConnectionPool.from_url(settings.redis_url, **_connection_options(settings))


@contextmanager
def _translated() -> Generator[None]:
    try:
        yield
    except UNAVAILABLE as error:
        raise StoreUnavailable(str(error)) from error
    except exceptions.ResponseError as error:
        if _REFUSED.search(str(error)):
            raise StoreUnavailable(str(error)) from error
        raise


def _source(call: Call[T]) -> str:
    if call.script is None:
        raise AssertionError("NOSCRIPT for a Call without a script")
    return call.script.source


def _connection_options(settings: Settings) -> dict[str, object]:
    options: dict[str, object] = {
        "socket_timeout": settings.redis_timeout.total_seconds(),
        "socket_connect_timeout": settings.redis_connect_timeout.total_seconds(),
        "socket_keepalive": True,
        "health_check_interval": 15,
        "retry": None,
    }
    password = settings.redis_password()
    return options if password is None else {**options, "password": password}
