"""Connections to Redis as the settings want them: sync, async and for the transport, all built here.

With sentinels each new connection asks one of them for the master; otherwise the URL's host is the server. Passwords
are read from their files whenever a connection opens, so that a rotated Secret is taken without a restart, and they
are in no pool's arguments, which redis-py shows in its `repr`.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import redis
import redis.asyncio
import redis.asyncio.sentinel
import redis.sentinel
from redis import exceptions
from redis.asyncio.connection import AbstractConnection
from redis.connection import HiredisRespSerializer
from redis.credentials import CredentialProvider
from redis.typing import EncodableT

from heavylift.errors import ConfigurationError
from heavylift.redis_address import RedisAddress, Scheme
from heavylift.sentinels import AsyncSentinel, Sentinel
from heavylift.settings import Settings

HEALTH_CHECK_SECONDS = 15
"""A connection idle for longer is tried with PING first: firewalls and load balancers forget idle connections."""

_SYNC = {
    Scheme.TCP: redis.Connection,
    Scheme.TLS: redis.SSLConnection,
    Scheme.SOCKET: redis.UnixDomainSocketConnection,
}
_ASYNC = {
    Scheme.TCP: redis.asyncio.Connection,
    Scheme.TLS: redis.asyncio.SSLConnection,
    Scheme.SOCKET: redis.asyncio.UnixDomainSocketConnection,
}
_ASYNC_SENTINEL = {
    Scheme.TCP: redis.asyncio.sentinel.SentinelManagedConnection,
    Scheme.TLS: redis.asyncio.sentinel.SentinelManagedSSLConnection,
}
_SENTINEL_PASSWORD = "HEAVYLIFT_REDIS_SENTINEL_PASSWORD_FILE"  # noqa: S105 - the variable's name


def connection_pool(settings: Settings) -> redis.ConnectionPool:
    """Return a pool of sync connections; nothing connects yet. Raises ConfigurationError."""
    address, options = RedisAddress.parse(settings.redis_url), _options(settings)
    if not settings.redis_sentinels:
        return redis.ConnectionPool(connection_class=_SYNC[address.scheme], **_place(address), **options)
    manager = Sentinel(settings.redis_sentinels, sentinel_kwargs=_sentinel_options(settings))
    return redis.sentinel.SentinelConnectionPool(
        settings.redis_sentinel_master, manager, ssl=address.scheme is Scheme.TLS, **options
    )


def async_connection_pool(settings: Settings, *, max_connections: int) -> redis.asyncio.BlockingConnectionPool:
    """Return a pool of async connections; who finds all in use waits for one. Raises ConfigurationError."""
    address = RedisAddress.parse(settings.redis_url)
    options = _options(settings) | {
        "max_connections": max_connections,
        "timeout": settings.redis_timeout.total_seconds(),
    }
    if not settings.redis_sentinels:
        connection_class = _packing(_ASYNC[address.scheme])
        return redis.asyncio.BlockingConnectionPool(connection_class=connection_class, **_place(address), **options)
    manager = AsyncSentinel(settings.redis_sentinels, sentinel_kwargs=_sentinel_options(settings))
    options["connection_class"] = _packing(_ASYNC_SENTINEL[address.scheme])
    return _BlockingSentinelPool(settings.redis_sentinel_master, manager, **options)


def _packing(connection_class: type[AbstractConnection]) -> type[AbstractConnection]:
    """Return a connection class that packs commands with hiredis, as the sync ones do.

    redis-py 6.4's async connections pack in Python: a third of the API's time for a batch.
    """
    packer = HiredisRespSerializer()

    class Connection(connection_class):  # ty: ignore[unsupported-base]
        def pack_command(self, *args: EncodableT) -> list[bytes]:
            return packer.pack(*args)  # ty: ignore[invalid-argument-type] - annotated as if each were a list

    return Connection


class _BlockingSentinelPool(redis.asyncio.sentinel.SentinelConnectionPool, redis.asyncio.BlockingConnectionPool):
    """redis-py's own sentinel pool has no bound: it raises instead of waiting, and leaves the sentinels open."""

    async def disconnect(self, inuse_connections: bool = True) -> None:
        """Close the connections; when all of them, then also those to the sentinels."""
        await super().disconnect(inuse_connections)
        if inuse_connections:
            await self.sentinel_manager.aclose()


class Credentials(CredentialProvider):
    """User and password for a new connection, the password from its file where there is one."""

    def __init__(self, user: str | None, password: str | None, file: Path | None, *, variable: str) -> None:
        self._user = user
        self._password = password
        self._file = file
        self._variable = variable

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        """Return what AUTH is sent. Raises AuthenticationError for a file that cannot be read just now."""
        try:
            password = self.password()
        except ConfigurationError as error:
            raise exceptions.AuthenticationError(str(error)) from error
        return (self._user, password) if self._user else (password,)

    async def get_credentials_async(self) -> tuple[str] | tuple[str, str]:
        """Return the same; a mounted Secret is read in microseconds."""
        return self.get_credentials()

    def password(self) -> str:
        """Return the password. Raises ConfigurationError for a file that cannot be read."""
        if self._file is None:
            return self._password or ""
        try:
            return self._file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise ConfigurationError(f"{self._variable}: {self._file}: {reason}") from None


def _place(address: RedisAddress) -> dict[str, Any]:
    if address.scheme is Scheme.SOCKET:
        return {"path": address.path}
    return {"host": address.host, "port": address.port}


def _options(settings: Settings) -> dict[str, Any]:
    address = RedisAddress.parse(settings.redis_url)
    file = settings.redis_password_file
    options = {**_limits(settings, address), "db": address.database, **_tls(settings, address)}
    if not (address.user or address.password or file):
        return options
    credentials = Credentials(address.user, address.password, file, variable="HEAVYLIFT_REDIS_PASSWORD_FILE")
    credentials.password()
    return {**options, "credential_provider": credentials}


def _sentinel_options(settings: Settings) -> dict[str, Any]:
    """Return how sentinels are reached: with the servers' TLS, but a password of their own or none."""
    address = RedisAddress.parse(settings.redis_url)
    options = {**_limits(settings, address), **_tls(settings, address), "ssl": address.scheme is Scheme.TLS}
    file = settings.redis_sentinel_password_file
    if file is None:
        return options
    credentials = Credentials(settings.redis_sentinel_user, None, file, variable=_SENTINEL_PASSWORD)
    credentials.password()
    return {**options, "credential_provider": credentials}


def _limits(settings: Settings, address: RedisAddress) -> dict[str, Any]:
    limits = {
        "socket_timeout": settings.redis_timeout.total_seconds(),
        "socket_connect_timeout": settings.redis_connect_timeout.total_seconds(),
        "health_check_interval": HEALTH_CHECK_SECONDS,
        # A repeated command may be done twice; who may repeat decides so.
        "retry": None,
        # CLIENT SETINFO would cost each connection two round trips, and rights to give a user.
        "lib_name": None,
        "lib_version": None,
    }
    return limits if address.scheme is Scheme.SOCKET else {**limits, "socket_keepalive": True}


def _tls(settings: Settings, address: RedisAddress) -> dict[str, Any]:
    """Return redis-py's TLS options. Raises ConfigurationError for files that cannot be used."""
    if address.scheme is not Scheme.TLS:
        return {}
    files = {
        "ssl_ca_certs": settings.redis_ca_file,
        "ssl_certfile": settings.redis_cert_file,
        "ssl_keyfile": settings.redis_key_file,
    }
    options = {**address.tls, **{name: str(file) for name, file in files.items() if file is not None}}
    _load(options, "HEAVYLIFT_REDIS_CA_FILE", "ssl_ca_certs")
    _load(options, "HEAVYLIFT_REDIS_CERT_FILE, HEAVYLIFT_REDIS_KEY_FILE", "ssl_certfile", "ssl_keyfile")
    if "ssl_certfile" in options:  # redis-py's async side leaves a certificate out that no key was named for
        options.setdefault("ssl_keyfile", options["ssl_certfile"])
    return options


def _load(options: dict[str, Any], variables: str, *names: str) -> None:
    """Read files as a connection will, so that a wrong one is known before the first connection."""
    files = [options.get(name) for name in names]
    if not any(files):
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if names == ("ssl_ca_certs",):
            context.load_verify_locations(cafile=files[0])
        elif files[0] is None:
            raise ConfigurationError(f"{variables}: a key needs its certificate.")
        else:
            # Without a password given, OpenSSL would ask for one on the terminal.
            context.load_cert_chain(files[0], files[1], password="")
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        shown = ", ".join(str(file) for file in files if file)
        raise ConfigurationError(f"{variables}: {shown}: {reason}; PEM files are needed.") from error
