"""Settings both sides share. Each service subclasses `Settings` and adds its own."""

from __future__ import annotations

import re
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from heavylift.errors import ConfigurationError

S = TypeVar("S", bound=BaseSettings)

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd]?)\Z")


def _to_duration(value: object) -> object:
    match = _DURATION.match(value.strip()) if isinstance(value, str) else None
    return timedelta(seconds=float(match[1]) * _SECONDS[match[2] or "s"]) if match else value


Duration = Annotated[timedelta, BeforeValidator(_to_duration)]
"""A length of time as people write it: `90` or `90s`, `15m`, `24h`, `7d`, or ISO 8601."""


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

    redis_url: str = "redis://127.0.0.1:6379/0"
    """`redis://`, `rediss://` (TLS) or `unix://`; user, password and database as redis-py reads them."""

    redis_password_file: Path | None = None
    """A file that holds the password, as a mounted Secret does. Kept out of the URL, so that it is in no log."""

    key_prefix: str = Field(default="", pattern=r"^[A-Za-z0-9_.:-]*$")
    """Put before every key and every message list; the same as Celery's `global_keyprefix`."""

    redis_timeout: Duration = timedelta(seconds=2)
    """How long one answer of Redis may take. A script takes microseconds; two seconds mean trouble."""

    redis_connect_timeout: Duration = timedelta(seconds=1)
    """How long a connection may take to open."""

    artifacts_url: str = Field(default_factory=lambda: f"file://{Path.cwd()}/.data/artifacts")
    """`file:///folder` or `s3://bucket/prefix`; region, endpoint and keys of S3 come from the usual `AWS_*`."""

    log_level: LogLevel = LogLevel.INFO
    """Least severe level to log."""

    log_format: LogFormat = LogFormat.JSON
    """`json` for log collectors, `console` for a terminal."""

    def redis_password(self) -> str | None:
        """Return the password from `redis_password_file`, if one is set.

        Raises
        ------
        ConfigurationError
            The file cannot be read.

        """
        if self.redis_password_file is None:
            return None
        try:
            return self.redis_password_file.read_text().strip()
        except OSError as error:
            raise ConfigurationError(f"HEAVYLIFT_REDIS_PASSWORD_FILE: {error}") from error


def load(cls: type[S], **given: object) -> S:
    """Return the settings, or raise ConfigurationError that names each bad variable and what is allowed."""
    try:
        return cls(**given)  # ty: ignore[invalid-argument-type] - fields come from the command line, and are validated
    except ValidationError as error:
        prefix = cls.model_config.get("env_prefix", "")
        lines = [f"{prefix}{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors()]
        raise ConfigurationError("; ".join(lines)) from error
