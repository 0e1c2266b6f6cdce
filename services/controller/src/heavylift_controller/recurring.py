"""Submits recurring jobs when their time has come, by Redis's clock.

Any number may run: a run is submitted by the script that also moves the schedule on, if it still stands where this
process read it. A run that was missed while no controller ran is made up for once, however many were missed.

A schedule runs from its type's queue only. When the type has moved, a schedule that comes due in another queue moves
after it, with the run that is due, unless one of its name is there already: so it never runs in both.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

import orjson
import structlog

from heavylift.ids import new_job_id
from heavylift.model import JobTypeInfo
from heavylift.operations import Planned, Submission, fire, plan, read_agenda, read_types, unplan
from heavylift.store import Store
from heavylift_controller import metrics
from heavylift_controller.queues import Queues
from heavylift_controller.visits import Visits

log = structlog.get_logger()


class Recurring:
    """Looks at the schedules of each queue when its next is due, and every `tick` seconds at the latest."""

    def __init__(
        self, store: Store, queues: Queues, *, tick: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._tick = tick
        self._visits = Visits(queues, interval=tick, clock=clock)
        self._unknown: dict[str, set[tuple[str, str]]] = {}

    def turn(self) -> float:
        """Submit what is due; returns the seconds to the next turn."""
        return self._visits.turn(self._look)

    def _look(self, queue: str) -> float:
        now, planned = self._store.run(read_agenda(self._store.keys, queue))
        due = [each for each in planned if each.next_at <= now]
        types = self._store.run(read_types(self._store.keys)) if due else {}
        self._note_unknown(queue, {(s.name, s.type) for s, _ in due if s.type not in types})
        for each in due:
            if info := types.get(each.schedule.type):
                self._fire(queue, each, info, now)
        waits = [(each.next_at - now).total_seconds() for each in planned if each.next_at > now]
        return min(waits, default=self._tick)

    def _note_unknown(self, queue: str, unknown: set[tuple[str, str]]) -> None:
        """Log what nobody could run, once: it waits where it is for a worker that publishes the type."""
        for name, type_ in sorted(unknown - self._unknown.get(queue, set())):
            log.error("recurring_job_of_unknown_type", schedule=name, type=type_)
        self._unknown[queue] = unknown

    def _fire(self, queue: str, planned: Planned, info: JobTypeInfo, now: datetime) -> None:
        schedule = planned.schedule
        if info.queue != queue:
            self._move(queue, planned, info.queue)
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

    def _move(self, queue: str, planned: Planned, target: str) -> None:
        """Let a schedule follow its type. A crash between the two steps leaves it in both, to be moved again."""
        name = planned.schedule.name
        self._store.run(plan(self._store.keys, target, planned.schedule, planned.next_at, keep=True))
        self._store.run(unplan(self._store.keys, queue, name))
        log.info("recurring_job_moved", schedule=name, queue=queue, target=target)
