"""What Redis's refusals mean: try again later, or a mistake in the program.

All that is "later" becomes StoreUnavailable. Redis refuses a script before its first write, so nothing is half done;
the exception is a user without the right to one of a script's later commands. After a time-out or a broken connection
it is unknown whether a command was done: submits, claims and ends are scripts that may be repeated.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager

from redis import exceptions

from heavylift.errors import StoreFull, StoreUnavailable
from heavylift.sentinels import NoMasterFound

UNAVAILABLE = (
    exceptions.ConnectionError,  # also: LOADING, too many clients, a wrong password, no sentinel that knows the master
    exceptions.TimeoutError,
    exceptions.InvalidResponse,
    exceptions.NoPermissionError,
    exceptions.NoScriptError,
    exceptions.ReadOnlyError,
    exceptions.OutOfMemoryError,
    exceptions.TryAgainError,
    exceptions.ClusterDownError,
    exceptions.MasterDownError,
)
"""What ends by itself or by an operator's hand: the caller tries again later."""

_REFUSED = re.compile(
    r"(?:^|[ -])(?:OOM|MISCONF|NOREPLICAS|READONLY|BUSY|MASTERDOWN|CLUSTERDOWN|LOADING|NOPERM|UNBLOCKED|NOAUTH) "
)
"""The same in words: redis-py has no class for some, and Redis 6 wraps what a script meets in its own error."""

_ELSEWHERE = re.compile(r"(?:^|[ -])(?:READONLY|MASTERDOWN|UNBLOCKED) ")
_DENIED = re.compile(r"(?:^|[ -])NOPERM |The user executing the script can't")
_FULL = re.compile(r"(?:^|[ -])OOM ")

SENTINELS = (
    "correct HEAVYLIFT_REDIS_SENTINEL_USER and HEAVYLIFT_REDIS_SENTINEL_PASSWORD_FILE, the sentinels' own credentials"
)
CREDENTIALS = "correct the user and password in HEAVYLIFT_REDIS_URL or HEAVYLIFT_REDIS_PASSWORD_FILE"
RIGHTS = "give the user the rights that docs/redis.md names (ACL SETUSER), on the keys of HEAVYLIFT_KEY_PREFIX"
MEMORY = "raise maxmemory, or wait until jobs end and their records are forgotten"


def means_later(error: exceptions.RedisError) -> bool:
    """Tell whether the same command may succeed later."""
    return isinstance(error, UNAVAILABLE) or (
        isinstance(error, exceptions.ResponseError) and bool(_REFUSED.search(str(error)) or _DENIED.search(str(error)))
    )


def is_elsewhere(error: exceptions.RedisError) -> bool:
    """Tell whether this server is the master no more: only a new connection can reach the one that is."""
    return isinstance(error, (exceptions.ReadOnlyError, exceptions.MasterDownError)) or (
        isinstance(error, exceptions.ResponseError) and _ELSEWHERE.search(str(error)) is not None
    )


def is_denied(error: exceptions.RedisError) -> bool:
    """Tell whether only other settings or other rights help."""
    return remedy(error) in (CREDENTIALS, RIGHTS, SENTINELS)


def remedy(error: exceptions.RedisError) -> str | None:
    """Return what an operator can do, where that is known."""
    text = str(error)
    if isinstance(error, NoMasterFound):
        return SENTINELS if error.denied else None
    if isinstance(error, (exceptions.AuthenticationError, exceptions.AuthenticationWrongNumberOfArgsError)):
        return CREDENTIALS
    if isinstance(error, (exceptions.NoPermissionError, exceptions.AuthorizationError)) or _DENIED.search(text):
        return RIGHTS
    if isinstance(error, exceptions.OutOfMemoryError) or _FULL.search(text):
        return MEMORY
    return None


def sentence(error: exceptions.RedisError) -> str:
    """Return what Redis said and what helps. redis-py names the class of an answer and cuts its code off the text."""
    text = str(error) or type(error).__name__
    help_ = remedy(error)
    return f"{text.rstrip('.')}: {help_}." if help_ else text


@contextmanager
def translated() -> Generator[None]:
    """Raise StoreUnavailable for what means later, StoreFull if Redis has no memory left."""
    try:
        yield
    except exceptions.RedisError as error:
        if not means_later(error):
            raise
        kind = StoreFull if remedy(error) == MEMORY else StoreUnavailable
        raise kind(sentence(error)) from error
