"""Celery's consumer, with what Heavylift does otherwise: reconnecting sooner, giving back what was not started."""

from __future__ import annotations

import os
import time
from typing import Any

import structlog
from celery.worker.consumer import Consumer
from celery.worker.state import maybe_shutdown
from kombu import Connection
from kombu.asynchronous import Hub
from kombu.message import Message

from heavylift.operations import Ending, Outcome
from heavylift.transport import CLAIM_HEADER
from heavylift_worker.pool import kill_child
from heavylift_worker.supervisor import Supervisor

logger = structlog.get_logger()

RECONNECT_STEP = 0.2
LONGEST_PAUSE = 2.0
"""Seconds between two tries to reach Redis. Celery's own grow to 32: jobs would wait that long after an outage."""

PULSE_SECONDS = 2.0
"""How often the event loop shows that it turns. By itself it may sleep for ten seconds."""


class JobConsumer(Consumer):
    """Consumes jobs for the supervisor's desk."""

    controller: Any
    """The worker's Controller; Celery sets it, as it does the pool."""
    pool: Any
    _connected_at: float | None = None
    _pause = 0.0

    @property
    def supervisor(self) -> Supervisor:
        """The worker's supervisor."""
        return self.controller.supervisor

    def start(self) -> None:
        """Start the supervisor, now that the pool has forked its children, then consume."""
        children = self.pool._pool._pool
        self.supervisor.desk.children = lambda: len(children)
        self.supervisor.start()
        super().start()

    def register_with_event_loop(self, hub: Hub) -> None:
        """Let the controller wake the loop, which else may sleep for seconds: a child died, or it is time to leave."""
        super().register_with_event_loop(hub)
        hub.call_repeatedly(PULSE_SECONDS, self.controller.pulse.turned)
        hub.add_reader(self.controller.wake_pipe, self._on_wake)

    def on_ready(self) -> None:
        """Tell that jobs are taken from now on; again after every lost connection."""
        super().on_ready()
        self.supervisor.reconnected()
        logger.info("worker_ready", held=self.supervisor.desk.held())

    def _on_wake(self) -> None:
        os.read(self.controller.wake_pipe, 4096)
        self.pool.maintain_pool()

    def ensure_connected(self, conn: Connection) -> Connection:
        """Connect, however long it takes, unless the worker is told to end."""
        self._pause_after_a_short_connection()
        conn.ensure_connection(
            lambda error, pause: logger.warning("cannot_reach_redis", error=str(error), next_try_seconds=pause),
            max_retries=None,
            interval_start=RECONNECT_STEP,
            interval_step=RECONNECT_STEP,
            interval_max=LONGEST_PAUSE,
            callback=self._turn,
        )
        self.first_connection_attempt = False
        self._connected_at = time.monotonic()
        return conn

    def _pause_after_a_short_connection(self) -> None:
        """Wait, longer each time, where Redis takes connections and then refuses what is asked over them."""
        now = time.monotonic()
        if self._connected_at is None or now - self._connected_at > 2 * LONGEST_PAUSE:
            self._pause = 0.0
            return
        self._pause = min(max(RECONNECT_STEP, 2 * self._pause), LONGEST_PAUSE)
        while time.monotonic() < now + self._pause:
            self._turn()
            time.sleep(RECONNECT_STEP / 4)

    def _turn(self) -> None:
        """Do between two tries what the event loop does in each turn."""
        self.controller.pulse.turned()
        maybe_shutdown()

    def on_close(self) -> None:
        """Give back jobs that no child has begun: Celery drops them here."""
        desk, pool = self.supervisor.desk, self.pool._pool
        handed_over = [held for held in desk.snapshot() if held.pid is None and not held.gone]
        silent = pool.silent_children()
        super().on_close()
        # It may have begun its job a moment ago, or one that the desk has lost; and the pool has just forgotten which.
        for child in silent:
            kill_child(child)
        ending = Ending(Outcome.RELEASED, reason="not started yet when its worker lost its connection")
        for held in handed_over:
            desk.lose(str(held.claim.id), held.claim.token, held.ending or ending)
        if handed_over:
            self.supervisor.wake()

    def on_unknown_task(self, body: object, message: Message, exc: KeyError) -> None:  # noqa: ARG002 - Celery's
        """Have a job of an unknown type offered to others, a little later."""
        claim = message.headers[CLAIM_HEADER]
        logger.error("unknown_job_type", job=str(claim.id), type=claim.type)
        self.supervisor.offer_again(claim)
