"""One part of the controller: a thread that takes turns until it is told to stop.

Parts are threads of their own, so that a slow deletion of files delays no recovery. Whatever a turn raises, the next
turn comes: a controller whose reaper thread ended in silence would look healthy and recover nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

from heavylift.errors import StoreUnavailable
from heavylift_controller import metrics

log = structlog.get_logger()


class Loop:
    """Calls `turn`, which returns the seconds until it wants to be called again, in a thread."""

    def __init__(
        self,
        name: str,
        turn: Callable[[], float],
        *,
        stop: threading.Event,
        pause: float,
        stalled_after: float,
        rest: Callable[[float], object] | None = None,
    ) -> None:
        """`rest` waits between turns, and may end the wait early; without it only the stop does."""
        self.name = name
        self._rest = rest or stop.wait
        self._turn = turn
        self._stop = stop
        self._pause = pause
        self._stalled_after = stalled_after
        self._turned_at = time.monotonic()
        self.had_contact = False
        """Whether a turn came to an end that Redis answered in."""
        self._failure: str | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        metrics.announce_loop(name)

    def start(self) -> None:
        """Start the thread."""
        self._turned_at = time.monotonic()
        self._thread.start()

    def join(self, timeout: float) -> bool:
        """Wait for the thread to end after the stop; tells whether it has. One stuck in a read is left behind."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def stalled_for(self) -> float | None:
        """Return for how many seconds no turn came to an end since the start, if that is too long.

        A turn that failed is a turn.
        """
        if self._thread.ident is None:
            return None
        age = time.monotonic() - self._turned_at
        return age if age > self._stalled_after else None

    def _run(self) -> None:
        planned = time.monotonic()
        while not self._stop.is_set():
            began = time.monotonic()
            metrics.LAG_SECONDS.labels(loop=self.name).set(max(0.0, began - planned))
            wait = self._take_turn()
            self._turned_at = time.monotonic()
            metrics.TURN_SECONDS.labels(loop=self.name).observe(self._turned_at - began)
            planned = self._turned_at + wait
            self._rest(wait)

    def _take_turn(self) -> float:
        try:
            wait = self._turn()
        except StoreUnavailable as error:
            if self._note("redis_lost"):
                log.warning("redis_lost", loop=self.name, reason=str(error))
        except Exception as error:  # the loop's boundary: it must go on
            self.had_contact = True
            if self._note(repr(error)):
                log.exception("turn_failed", loop=self.name)
        else:
            if self._failure:
                log.info("loop_recovered", loop=self.name)
            self._failure = None
            self.had_contact = True
            metrics.LAST_SUCCESS.labels(loop=self.name).set_to_current_time()
            return wait
        metrics.FAILED_TURNS.labels(loop=self.name).inc()
        return self._pause

    def _note(self, failure: str) -> bool:
        """Tell whether the failure differs from the turn before: a line a second for hours helps nobody."""
        new = failure != self._failure
        self._failure = failure
        return new
