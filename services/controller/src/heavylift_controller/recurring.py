"""Submits recurring jobs when their time has come, by Redis's clock.

Any number may run: a run is submitted by the script that also moves the schedule on, if it still stands where this
process read it. A run that was missed while no controller ran is made up for once, however many were missed.
"""

from __future__ import annotations

from datetime import datetime

import orjson
import structlog

from heavylift.ids import new_job_id
from heavylift.model import JobTypeInfo
from heavylift.operations import Planned, Submission, fire, read_agenda, read_types
from heavylift.store import Store
from heavylift_controller import metrics
from heavylift_controller.queues import Queues

log = structlog.get_logger()


class Recurring:
    """Looks at the schedules of every queue each `tick` seconds."""

    def __init__(self, store: Store, queues: Queues, *, tick: float) -> None:
        self._store = store
        self._queues = queues
        self._tick = tick

    def turn(self) -> float:
        """Submit what is due; returns the seconds to the next turn."""
        return min(self._queues.each(self._look), default=self._tick)

    def _look(self, queue: str) -> float:
        now, planned = self._store.run(read_agenda(self._store.keys, queue))
        due = [each for each in planned if each.next_at <= now]
        types = self._store.run(read_types(self._store.keys)) if due else {}
        for each in due:
            self._fire(queue, each, types.get(each.schedule.type), now)
        waits = [(each.next_at - now).total_seconds() for each in planned if each.next_at > now]
        return min([self._tick, *waits])

    def _fire(self, queue: str, planned: Planned, info: JobTypeInfo | None, now: datetime) -> None:
        schedule = planned.schedule
        if info is None:  # nobody could run it: the schedule waits where it is for a worker that publishes the type
            log.error("recurring_job_of_unknown_type", schedule=schedule.name, type=schedule.type)
            return
        submission = Submission(
            new_job_id(queue),
            info,
            orjson.dumps(schedule.input),
            schedule.priority,
            expires_at=now + schedule.start_within if schedule.start_within else None,
        )
        if self._store.run(fire(self._store.keys, planned, schedule.next_after(now), submission)):
            metrics.RECURRED.labels(queue=queue).inc()
            log.info("recurring_job_submitted", schedule=schedule.name, job=str(submission.id))
