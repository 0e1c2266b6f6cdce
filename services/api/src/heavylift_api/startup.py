"""What is looked at before the first request: a Redis that cannot work should be known at once."""

from __future__ import annotations

import re

import redis
import structlog

from heavylift.errors import ConfigurationError
from heavylift.settings import Settings
from heavylift.store import UNAVAILABLE, connection_pool

OLDEST_REDIS = (6, 2)
"""The scripts need LMOVE and ZRANGE's options."""

log = structlog.get_logger()


def check_redis(settings: Settings) -> None:
    """Raise ConfigurationError if Redis is too old or refuses the password; a Redis that is away may still come."""
    try:
        with redis.Redis.from_pool(connection_pool(settings)) as client:
            info = client.info("server")
    except (redis.exceptions.AuthenticationError, redis.exceptions.NoPermissionError) as error:
        raise ConfigurationError(
            f"Redis refuses this user or password ({error}): correct HEAVYLIFT_REDIS_URL "
            "or HEAVYLIFT_REDIS_PASSWORD_FILE."
        ) from error
    except UNAVAILABLE as error:
        log.warning("redis_not_there_yet", reason=str(error))
        return
    except ValueError as error:
        raise ConfigurationError(f"HEAVYLIFT_REDIS_URL: {error}") from error
    assert isinstance(info, dict)
    check_version(str(info.get("redis_version", "")))


def check_version(version: str) -> None:
    """Raise ConfigurationError if a Redis of this version cannot run the scripts."""
    match = re.match(r"(\d+)\.(\d+)", version)
    if match is None or (int(match[1]), int(match[2])) < OLDEST_REDIS:
        raise ConfigurationError(
            f"Redis is version {version or 'unknown'}, too old: install Redis 6.2 or newer (or Valkey), "
            "or point HEAVYLIFT_REDIS_URL to one."
        )
