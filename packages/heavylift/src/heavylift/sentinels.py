"""Asking sentinels for the master, one after the other until one knows it.

redis-py's own search loses sentinels: it moves the one that answered to the front by its old index, and two searches
at once, as after each failover, overwrite another's place (redis 6.4.0, Sentinel.discover_master).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import redis
import redis.asyncio
import redis.asyncio.sentinel
import redis.sentinel
from redis import exceptions

_UNREACHED = (exceptions.ConnectionError, exceptions.TimeoutError, exceptions.ResponseError)


class NoMasterFound(redis.sentinel.MasterNotFoundError):
    """No sentinel knows a master that is up. `denied` tells that sentinels refuse our credentials."""

    def __init__(self, name: str, failures: list[str], *, denied: bool) -> None:
        reasons = f" ({'; '.join(failures)})" if failures else ""
        super().__init__(f"No sentinel knows a master named {name!r} that is up{reasons}")
        self.denied = denied


class _Search:
    """What both kinds of search note on their way."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.failures: list[str] = []
        self.denied = False

    def failed(self, sentinel: redis.Redis | redis.asyncio.Redis, error: exceptions.RedisError) -> None:
        place = sentinel.connection_pool.connection_kwargs
        self.failures.append(f"{place['host']}:{place['port']}: {error}")
        self.denied |= isinstance(error, (exceptions.AuthenticationError, exceptions.NoPermissionError))

    def address(self, masters: Mapping[str, Mapping[str, Any]]) -> tuple[str, int] | None:
        state = masters.get(self.name)
        up = state and state["is_master"] and not state["is_sdown"] and not state["is_odown"]
        return (state["ip"], state["port"]) if state and up else None

    def error(self) -> NoMasterFound:
        return NoMasterFound(self.name, self.failures, denied=self.denied)


class Sentinel(redis.sentinel.Sentinel):
    """Sentinels for sync connections."""

    def discover_master(self, service_name: str) -> tuple[str, int]:
        """Return the master's host and port. Raises NoMasterFound."""
        search = _Search(service_name)
        for sentinel in tuple(self.sentinels):
            try:
                address = search.address(sentinel.sentinel_masters())
            except _UNREACHED as error:
                search.failed(sentinel, error)
                continue
            if address:
                self.sentinels = [sentinel, *(each for each in self.sentinels if each is not sentinel)]
                return address
        raise search.error()


class AsyncSentinel(redis.asyncio.sentinel.Sentinel):
    """Sentinels for async connections."""

    async def discover_master(self, service_name: str) -> tuple[str, int]:
        """Return the master's host and port. Raises NoMasterFound."""
        search = _Search(service_name)
        for sentinel in tuple(self.sentinels):
            try:
                address = search.address(await sentinel.sentinel_masters())
            except _UNREACHED as error:
                search.failed(sentinel, error)
                continue
            if address:
                self.sentinels = [sentinel, *(each for each in self.sentinels if each is not sentinel)]
                return address
        raise search.error()

    async def aclose(self) -> None:
        """Close the connections to the sentinels."""
        for sentinel in self.sentinels:
            await sentinel.connection_pool.disconnect()
