"""Settings both sides share. Each service subclasses `Settings` and adds its own."""

from __future__ import annotations

import re
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self, TypeVar

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from heavylift.constants import HEARTBEAT_INTERVAL
from heavylift.errors import ConfigurationError
from heavylift.redis_address import Endpoint, RedisAddress, Scheme, parse_sentinels

S = TypeVar("S", bound=BaseSettings)

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd]?)\Z")


def _to_duration(value: object) -> object:
    match = _DURATION.match(value.strip()) if isinstance(value, str) else None
    try:
        return timedelta(seconds=float(match[1]) * _SECONDS[match[2] or "s"]) if match else value
    except OverflowError as error:
        raise ValueError(f"Input should be at most {timedelta.max.days} days") from error


Duration = Annotated[timedelta, BeforeValidator(_to_duration)]
"""A length of time as people write it: `90` or `90s`, `15m`, `24h`, `7d`, or ISO 8601."""


_BYTES = "Input should be a number of bytes, such as 8GiB, 500MB or 1048576"
_TAKEN = {
    "time_delta_parsing": "Input should be a length of time, such as 90s, 15m, 24h, 7d or PT1H30M",
    "byte_size": _BYTES,
    "byte_size_unit": _BYTES,
}
"""What is taken, for pydantic's kinds of errors that speak of their parser instead."""


class LogLevel(StrEnum):
    """The least severe level that is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """For machines or for eyes."""

    JSON = "json"
    CONSOLE = "console"


class Settings(BaseSettings):
    """Where Redis and the artifacts are. Read from the environment, prefix `HEAVYLIFT_`."""

    model_config = SettingsConfigDict(env_prefix="HEAVYLIFT_", extra="ignore", hide_input_in_errors=True)

    redis_url: str = Field(default="redis://127.0.0.1:6379/0", repr=False)
    """`redis://[user[:password]@]host[:port][/database]`, `rediss://…` for TLS, or `unix:///path/of/the/socket[?db=0]`.

    With sentinels only the user, the database and whether TLS is spoken are taken from it.
    """

    redis_password_file: Path | None = None
    """A file that holds the password, as a mounted Secret does; goes before the URL's. Read for each new connection."""

    redis_ca_file: Path | None = None
    """PEM file of the authorities that may sign Redis's certificate, for `rediss://`; else the system's."""

    redis_cert_file: Path | None = None
    """PEM file of this side's certificate, where Redis asks for one."""

    redis_key_file: Path | None = None
    """PEM file of the certificate's key, without a passphrase, if the certificate's file does not hold it."""

    redis_sentinels: Annotated[tuple[Endpoint, ...], NoDecode] = ()
    """`host:port` of the sentinels, separated by commas. They name the master; with `rediss://` they speak TLS too."""

    redis_sentinel_master: str = Field(default="mymaster", min_length=1)
    """The name under which the sentinels watch the master."""

    redis_sentinel_user: str | None = None
    """The sentinels' own ACL user, if they have one."""

    redis_sentinel_password_file: Path | None = None
    """A file that holds the sentinels' own password, which need not be the servers'."""

    key_prefix: str = Field(default="", pattern=r"^[A-Za-z0-9_.:-]*$")
    """Put before every key and every message list; the same as Celery's `global_keyprefix`."""

    installation: str = Field(default="", pattern=r"^[A-Za-z0-9_.:/@-]*$", max_length=200)
    """Name of what works together, such as `namespace/release`: Redis and key prefix of another are refused."""

    redis_timeout: Duration = timedelta(seconds=2)
    """How long one answer of Redis may take. A script takes microseconds; two seconds mean trouble."""

    redis_connect_timeout: Duration = timedelta(seconds=1)
    """How long a connection may take to open."""

    artifacts_url: str = Field(default_factory=lambda: f"file://{Path.cwd()}/.data/artifacts")
    """`file:///folder` or `s3://bucket/prefix`; region, endpoint and keys of S3 come from the usual `AWS_*`."""

    heartbeat_interval: Duration = Field(default=HEARTBEAT_INTERVAL, gt=timedelta(0), le=timedelta(seconds=5))
    """How often a busy worker renews its leases, and the longest a cancel waits to be seen. The same for all parts."""

    log_level: LogLevel = LogLevel.INFO
    """Least severe level to log."""

    log_format: LogFormat = LogFormat.JSON
    """`json` for log collectors, `console` for a terminal."""

    @field_validator("redis_url")
    @classmethod
    def _check_redis_url(cls, url: str) -> str:
        RedisAddress.parse(url)
        return url

    @field_validator("redis_sentinels", mode="before")
    @classmethod
    def _read_sentinels(cls, value: object) -> object:
        return parse_sentinels(value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check_redis_parts(self) -> Self:
        scheme = self.redis_address.scheme
        files = {name: getattr(self, f"redis_{name}_file") for name in ("ca", "cert", "key")}
        given = [f"HEAVYLIFT_REDIS_{name.upper()}_FILE" for name, file in files.items() if file is not None]
        if given and scheme is not Scheme.TLS:
            raise ValueError(f"{', '.join(given)}: for TLS, HEAVYLIFT_REDIS_URL must begin with rediss://.")
        if self.redis_sentinels and scheme is Scheme.SOCKET:
            raise ValueError("HEAVYLIFT_REDIS_SENTINELS: with sentinels HEAVYLIFT_REDIS_URL cannot be a unix socket.")
        return self

    @property
    def redis_address(self) -> RedisAddress:
        """What `redis_url` says."""
        return RedisAddress.parse(self.redis_url)


class EndpointSettings(Settings):
    """Where a process that has no port of its own answers probes and Prometheus."""

    metrics_host: str = "127.0.0.1"
    """Address of `/livez`, `/readyz` and `/metrics`. In a pod: `0.0.0.0`."""

    metrics_port: int | None = Field(default=None, ge=0, le=65535)
    """Their port. Not set: not served, so that several processes start on one machine; 0: the log says which."""


def load(cls: type[S], **given: object) -> S:
    """Return the settings, or raise ConfigurationError that names each bad variable and what is allowed."""
    try:
        return cls(**given)  # ty: ignore[invalid-argument-type] - fields come from the command line, and are validated
    except ValidationError as error:
        prefix = cls.model_config.get("env_prefix", "")
        places = ("_".join(map(str, each["loc"])).upper() for each in error.errors())
        sentences = (_TAKEN.get(each["type"], each["msg"].removeprefix("Value error, ")) for each in error.errors())
        # What concerns several settings has no place of its own and names them.
        lines = [f"{prefix}{place}: {said}" if place else said for place, said in zip(places, sentences, strict=True)]
        raise ConfigurationError("; ".join(lines)) from error
