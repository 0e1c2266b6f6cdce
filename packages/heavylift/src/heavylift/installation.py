"""Whose Redis it is: two installations on one Redis and key prefix would take each other's jobs.

The first to come writes its name into one key; who finds another name there refuses to work. Nothing is done with Redis
before that: a service that starts while Redis is away waits with its first command until the key could be looked at.

What is not guaranteed: that the name stays. Who deletes the key, or empties Redis, releases the claim.
"""

from __future__ import annotations

import structlog

from heavylift.constants import Keys
from heavylift.errors import ConfigurationError, StoreUnavailable
from heavylift.operations.replies import to_text
from heavylift.settings import Settings
from heavylift.store import Call, Reply, Store

CLAIM_PAUSE = 0.5
"""Seconds between two tries to claim while Redis is away."""

log = structlog.get_logger()


class Installation:
    """This process's part of its installation's claim. Without a name there is nothing to claim."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._told = False
        self.claimed = not settings.installation
        """Redis may be worked with."""
        self.refusal: ConfigurationError | None = None
        """Why it never may."""

    def claim(self) -> bool:
        """Claim Redis; False while it is away.

        Raises
        ------
        ConfigurationError
            It is another installation's.

        """
        if self.claimed:
            return True
        try:
            owner = self._owner()
        except StoreUnavailable as error:
            if not self._told:
                log.warning("claim_waits_for_redis", installation=self._settings.installation, reason=str(error))
            self._told = True
            return False
        if owner != self._settings.installation:
            self.refusal = self._refuse(owner)
            raise self.refusal
        self.claimed = True
        return True

    def _owner(self) -> str:
        """Return whose it is, which from now on is somebody's."""
        store = Store.from_settings(self._settings)
        key, name = store.keys.installation, self._settings.installation
        try:
            # Looked at first: a Redis that is full, or a replica for a while, refuses even a SET that changes nothing.
            while (owner := store.run(Call([("GET", key)], _name))) is None:
                store.run(Call([("SET", key, name, "NX")], lambda _: None))
            return owner
        finally:
            store.close()

    def _refuse(self, owner: str) -> ConfigurationError:
        settings = self._settings
        key = Keys(settings.key_prefix).installation
        place = f"{settings.redis_address} with the key prefix {settings.key_prefix!r}"
        return ConfigurationError(
            f"{place} belongs to the installation {owner}, "
            f"and this one is {settings.installation} (HEAVYLIFT_INSTALLATION): they would take each other's jobs. "
            f"Give this one another HEAVYLIFT_KEY_PREFIX or another Redis. If {owner} was removed for good, release "
            f"its claim: `redis-cli -n {settings.redis_address.database} DEL {key}`. Its jobs are still there."
        )


def _name(replies: list[Reply]) -> str | None:
    return None if replies[0] is None else to_text(replies[0])
