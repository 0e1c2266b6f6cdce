"""Who may use the API: bearer keys, of which only SHA-256 digests are configured.

Without keys the API serves this machine only. It then also refuses what a web page could send through a browser on
this machine: a foreign `Origin`, or a foreign `Host` that a rebound DNS name brings along.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

from starlette.requests import Request

from heavylift.errors import ConfigurationError
from heavylift.loopback import is_loopback
from heavylift_api.errors import ForeignOrigin, Unauthorized

_ENTRY = re.compile(r"(?P<name>[A-Za-z0-9_.-]{1,64}):(?P<digest>[0-9a-fA-F]{64})\Z")

ANONYMOUS = "local"
"""The caller's name where no keys are configured."""


class ApiKeys:
    """Names by the SHA-256 digest of their keys."""

    def __init__(self, names: Mapping[bytes, str]) -> None:
        self._names = dict(names)

    def __len__(self) -> int:
        return len(self._names)

    def __or__(self, other: ApiKeys) -> ApiKeys:
        return ApiKeys(self._names | other._names)

    @classmethod
    def parse(cls, text: str) -> ApiKeys:
        """Read `name:<sha-256 hex>` entries, separated by commas or lines; `#` begins a comment.

        Raises
        ------
        ConfigurationError
            An entry is malformed. The message does not repeat it: it may be a key somebody forgot to hash.

        """
        lines = [line.partition("#")[0] for line in text.splitlines()]
        entries = [entry.strip() for line in lines for entry in line.split(",") if entry.strip()]
        names: dict[bytes, str] = {}
        for number, entry in enumerate(entries, start=1):
            match = _ENTRY.match(entry)
            if match is None:
                raise ConfigurationError(
                    f"API key {number} is not `name:<64 hex digits, the key's SHA-256>`; `heavylift keys` makes one."
                )
            names[bytes.fromhex(match["digest"])] = match["name"]
        return cls(names)

    @classmethod
    def read(cls, path: Path | None) -> ApiKeys:
        """Read the entries of a file. Raises ConfigurationError."""
        if path is None:
            return cls({})
        try:
            return cls.parse(path.read_text())
        except OSError as error:
            raise ConfigurationError(f"HEAVYLIFT_API_KEYS_FILE: {error}") from error

    def owner(self, key: str) -> str | None:
        """Return whose key it is. Every digest is compared, in constant time, whether or not one fitted before."""
        presented = hashlib.sha256(key.encode()).digest()
        found = None
        for digest, name in self._names.items():
            if hmac.compare_digest(digest, presented):
                found = name
        return found


def check_exposure(host: str, keys: ApiKeys) -> None:
    """Raise ConfigurationError if the address is reachable from elsewhere and nobody would be asked for a key."""
    if not keys and not is_loopback(host):
        raise ConfigurationError(
            f"Refusing to listen on {host} without API keys: anybody who reaches it could run jobs. Set "
            "HEAVYLIFT_API_KEYS or HEAVYLIFT_API_KEYS_FILE (`heavylift keys` makes a key), or HEAVYLIFT_HOST=127.0.0.1."
        )


def authenticate(request: Request) -> str:
    """Return the caller's name. Raises Unauthorized, or without configured keys ForeignOrigin."""
    keys: ApiKeys = request.app.state.keys
    headers = request.headers
    if not keys:
        origin = headers.get("origin")
        if not _names_this_machine(f"//{headers.get('host', '')}") or (origin and not _names_this_machine(origin)):
            raise ForeignOrigin
        return ANONYMOUS
    scheme, _, key = headers.get("authorization", "").partition(" ")
    owner = keys.owner(key.strip()) if scheme.lower() == "bearer" else None
    if owner is None:
        raise Unauthorized
    return owner


@lru_cache(maxsize=256)
def _names_this_machine(url: str) -> bool:
    return is_loopback(_host_of(url))


def _host_of(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
