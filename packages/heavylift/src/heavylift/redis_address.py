"""Where Redis is, as people write it: a URL, and for Sentinel a list of `host:port`.

redis-py reads a URL leniently: a database that is no number becomes 0, an unknown option fails in the middle of the
first command. Here everything is checked when a process starts, and no message repeats a password.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

SENTINEL_PORT = 26379
"""Where a sentinel listens by default (https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/)."""

FORMS = "redis://[user[:password]@]host[:port][/database], rediss://… for TLS, or unix:///path/of/the/socket[?db=0]"

_ENCODE = "percent-encode special characters in user and password, or put the password into a file"
_TLS_OPTIONS = frozenset({"ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs", "ssl_check_hostname"})
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class Scheme(StrEnum):
    """How Redis is spoken to."""

    TCP = "redis"
    TLS = "rediss"
    SOCKET = "unix"


class Endpoint(NamedTuple):
    """One sentinel's address."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """A parsed URL. `tls` holds redis-py's options by their own names."""

    scheme: Scheme
    host: str = "localhost"
    port: int = 6379
    path: str = ""
    database: int = 0
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: Mapping[str, str | bool] = field(default_factory=dict)

    @classmethod
    def parse(cls, url: str) -> RedisAddress:
        """Return the address a URL names. Raises ValueError that says what is wrong and what is allowed."""
        shown = without_password(url)
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            # Not chained and not repeated: what urllib takes for a port may be the end of a password.
            raise ValueError(f"{shown!r} is no URL with a port from 1 to 65535; {_ENCODE}. Allowed: {FORMS}.") from None
        if parts.scheme not in set(Scheme):
            raise ValueError(f"{shown!r} begins with none of redis://, rediss:// and unix://. Allowed: {FORMS}.")
        if parts.fragment:
            raise ValueError(f"{shown!r} has a part after '#'; {_ENCODE}. Allowed: {FORMS}.")
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        scheme = Scheme(parts.scheme)
        if scheme is Scheme.SOCKET:
            return cls._of_socket(parts, options, shown)
        if port == 0:
            raise ValueError(f"{shown!r}: port 0 cannot be connected to; 1 to 65535 can.")
        _refuse_unknown(options, {"db"} | (_TLS_OPTIONS if scheme is Scheme.TLS else set()), shown)
        return cls(
            scheme=scheme,
            host=parts.hostname or "localhost",
            port=port or 6379,
            database=_database(parts.path.strip("/") or options.get("db", ""), shown),
            user=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            tls=_tls(options, shown),
        )

    @classmethod
    def _of_socket(cls, parts: SplitResult, options: dict[str, str], shown: str) -> RedisAddress:
        # The last at sign ends user and password, if it comes before the path's first slash.
        if parts.hostname or not parts.path.startswith("/"):
            raise ValueError(f"{shown!r} has no absolute path: unix:///path/of/the/socket has three slashes.")
        _refuse_unknown(options, {"db", "username", "password"}, shown)
        user = unquote(parts.username) if parts.username else options.get("username")
        password = unquote(parts.password) if parts.password else options.get("password")
        return cls(
            scheme=Scheme.SOCKET,
            path=unquote(parts.path),
            database=_database(options.get("db", ""), shown),
            user=user or None,
            password=password or None,
        )

    def __str__(self) -> str:
        """Return the URL without password and options."""
        at = f"{self.user}@" if self.user else ""
        if self.scheme is Scheme.SOCKET:
            return f"unix://{at}{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{at}{host}:{self.port}/{self.database}"


def without_password(url: str) -> str:
    """Return what of a URL may be shown, even of one that cannot be read: nothing before the last at sign."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = "", url
    before, at, after = rest.rpartition("@")
    if at and "?" in before:  # the at sign may be part of a password among the options
        after = ""
    place = after.partition("?")[0].partition("#")[0]
    return f"{scheme}{separator}{'***@' if at else ''}{place}"


def parse_sentinels(text: str) -> tuple[Endpoint, ...]:
    """Return the sentinels of `host:port,host:port`. Raises ValueError."""
    return tuple(_endpoint(part.strip()) for part in text.split(",") if part.strip())


def _endpoint(text: str) -> Endpoint:
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or port == 0 or parts.path or parts.query or parts.fragment or "@" in text:
        shown = without_password(text)
        raise ValueError(f"{shown!r} is no sentinel's address. Allowed: host:port, several separated by commas.")
    return Endpoint(host, port or SENTINEL_PORT)


def _refuse_unknown(options: Mapping[str, str], allowed: set[str] | frozenset[str], shown: str) -> None:
    unknown = sorted(set(options) - allowed)
    if unknown:
        raise ValueError(
            f"{shown!r}: unknown option {', '.join(unknown)}. Allowed: {', '.join(sorted(allowed))}; "
            "TLS options need rediss://, and time limits are HEAVYLIFT_REDIS_TIMEOUT and _CONNECT_TIMEOUT."
        )


def _database(text: str, shown: str) -> int:
    if text and not (text.isascii() and text.isdigit()):
        raise ValueError(f"{shown!r}: the database is a whole number from 0. Allowed: {FORMS}.")
    return int(text or 0)


def _tls(options: Mapping[str, str], shown: str) -> dict[str, str | bool]:
    tls: dict[str, str | bool] = {name: value for name, value in options.items() if name in _TLS_OPTIONS}
    if tls.get("ssl_cert_reqs", "required") not in {"required", "none"}:
        raise ValueError(f"{shown!r}: ssl_cert_reqs is 'required' or 'none'.")
    if "ssl_check_hostname" in tls:
        check = _TRUTH.get(str(tls["ssl_check_hostname"]).lower())
        if check is None:
            raise ValueError(f"{shown!r}: ssl_check_hostname is 'true' or 'false'.")
        tls["ssl_check_hostname"] = check
    return tls
