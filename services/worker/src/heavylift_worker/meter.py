"""What a worker counts. Here nothing: metrics.py has the meter of a worker that is watched.

Apart from it, so that one that is not watched never imports prometheus-client.
"""

from __future__ import annotations

from heavylift.operations import Claim
from heavylift_worker.desk import Held


class Meter:
    """Told what happens to attempts, by the event loop and by the supervisor."""

    def began(self, claim: Claim) -> None:
        """Count the start of an attempt."""

    def finished(self, held: Held, outcome: str) -> None:
        """Count the end of an attempt; see `outcome.reported`."""

    def lease_lost(self, queue: str) -> None:
        """Count a lease that another worker has now."""

    def drained(self) -> None:
        """Count the beginning of a drain."""
