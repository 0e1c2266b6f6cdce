"""The store's two front doors, sync and async. Each runs the same `Call`s (see operations).

A Call is one round trip. A script that Redis does not know (restart, failover, SCRIPT FLUSH) is sent again with its
source: NOSCRIPT means that nothing ran. Where a Call has several commands all of them are sent again, so that these may
only be what can be repeated. What a Redis says that is no longer the master closes the idle connections to
it, so that the next Call opens one to the server that is master now.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeAlias, TypeVar

import redis
import redis.asyncio
from redis import exceptions

from heavylift.answers import is_elsewhere, means_later, translated
from heavylift.connections import async_connection_pool, connection_pool
from heavylift.constants import Keys
from heavylift.scripts import Script
from heavylift.settings import Settings

T = TypeVar("T")
Reply: TypeAlias = "list[Reply] | bytes | int | None"
Argument: TypeAlias = str | bytes | int | float


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One round trip to Redis: commands sent together, of which some may run a script, and how to read the replies."""

    commands: Sequence[Sequence[Argument]]
    parse: Callable[[list[Reply]], T]
    script: Script | None = None
    tolerant: bool = False
    """A command that fails for good, for a key of a foreign type, has None as its reply; the others count."""

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
        with translated():
            try:
                return call.parse(self._send(call))
            except exceptions.NoScriptError:
                return call.parse(self._send(_with_source(call)))
            except exceptions.ResponseError as error:
                if is_elsewhere(error):
                    self.redis.connection_pool.disconnect(inuse_connections=False)
                raise

    def _send(self, call: Call[T]) -> list[Reply]:
        if len(call.commands) == 1 and not call.tolerant:
            return [self.redis.execute_command(*call.commands[0])]
        pipeline = self.redis.pipeline(transaction=False)
        for command in call.commands:
            pipeline.execute_command(*command)
        return _replies(pipeline.execute(raise_on_error=False), tolerant=call.tolerant)

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
        pool = async_connection_pool(settings, max_connections=max_connections)
        return cls(redis.asyncio.Redis.from_pool(pool), Keys(settings.key_prefix))

    async def run(self, call: Call[T]) -> T:
        """Run one Call. Raises StoreUnavailable when Redis cannot answer or refuses writes."""
        with translated():
            try:
                return call.parse(await self._send(call))
            except exceptions.NoScriptError:
                return call.parse(await self._send(_with_source(call)))
            except exceptions.ResponseError as error:
                if is_elsewhere(error):
                    await self.redis.connection_pool.disconnect(inuse_connections=False)
                raise

    async def _send(self, call: Call[T]) -> list[Reply]:
        if len(call.commands) == 1 and not call.tolerant:
            return [await self.redis.execute_command(*call.commands[0])]
        pipeline = self.redis.pipeline(transaction=False)
        for command in call.commands:
            pipeline.execute_command(*command)
        return _replies(await pipeline.execute(raise_on_error=False), tolerant=call.tolerant)

    async def aclose(self) -> None:
        """Close all connections."""
        await self.redis.aclose()


def _replies(answers: list[Reply | exceptions.RedisError], *, tolerant: bool) -> list[Reply]:
    """Return a pipeline's answers; raise the first refusal, in Redis's words: redis-py's async client drops them."""
    replies: list[Reply] = []
    for answer in answers:
        if not isinstance(answer, exceptions.RedisError):
            replies.append(answer)
        elif tolerant and not means_later(answer):
            replies.append(None)
        else:
            raise answer
    return replies


def _with_source(call: Call[T]) -> Call[T]:
    """Return the Call with its script brought along: one step, between which no failover can come."""
    if call.script is None:
        raise AssertionError("NOSCRIPT for a Call without a script")
    commands = list(call.commands)
    first = next(at for at, command in enumerate(commands) if command[0] == "EVALSHA")
    commands[first] = ("EVAL", call.script.source, *commands[first][2:])  # the commands after it find it there
    return replace(call, commands=commands)
