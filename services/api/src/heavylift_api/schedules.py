"""Recurring jobs over HTTP.

A schedule lies in its type's queue. Setting one of a type in another queue writes the new one first and removes the
old one then: a crash between the two leaves both, never none, and the same request sent again repairs it. A schedule
whose type has moved follows it when it comes due (the controller sees to that).
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, ValidationInfo, field_validator

from heavylift.model import Priority, Schedule, next_run, zone_of
from heavylift.operations import Planned, plan, read_agenda, read_queues, unplan
from heavylift_api.errors import InvalidRequest, UnknownSchedule
from heavylift_api.handlers import field_errors
from heavylift_api.job_types import JobTypes
from heavylift_api.store import BoundedStore
from heavylift_api.submission import check_input
from heavylift_api.views import ScheduleDetail, ScheduleView

NAME = r"^[a-z0-9][a-z0-9_.-]{0,99}$"

COMING = 5
"""Runs that a single schedule shows."""

MAX_START_WITHIN = 366 * 24 * 3600


class ScheduleRequest(BaseModel):
    """A job to run again and again."""

    model_config = ConfigDict(extra="forbid")

    type: str = Field(min_length=1, max_length=200, examples=["report.daily"])
    input: Any = Field(default_factory=dict)
    """What to run it on, as the type's schema describes it."""
    time_zone: str = Field(default="UTC", max_length=100, examples=["Europe/Berlin"])
    """A name of the IANA time zone database."""
    cron: str = Field(max_length=200, examples=["0 3 * * *"])
    """Five fields as in crontab(5): minute, hour, day of month, month, day of week."""
    priority: Literal["normal", "low", "bulk", "idle"] = "normal"
    start_within_seconds: float | None = Field(default=None, gt=0, le=MAX_START_WITHIN)
    """A run that no worker has started for so long expires."""

    @field_validator("time_zone")
    @classmethod
    def _check_zone(cls, name: str) -> str:
        zone_of(name)
        return name

    @field_validator("cron")
    @classmethod
    def _check_cron(cls, cron: str, info: ValidationInfo) -> str:
        zone = zone_of(info.data.get("time_zone", "UTC"))
        next_run(cron, zone, datetime.now(zone))
        return cron

    def schedule(self, name: str) -> Schedule:
        """Return the schedule as the store keeps it."""
        seconds = self.start_within_seconds
        return Schedule(
            name=name,
            type=self.type,
            cron=self.cron,
            time_zone=self.time_zone,
            input=self.input,
            priority=Priority[self.priority.upper()],
            start_within=timedelta(seconds=seconds) if seconds is not None else None,
        )


class Found(NamedTuple):
    """A schedule and the queue it lies in."""

    queue: str
    planned: Planned


class Schedules:
    """The schedules of all queues."""

    def __init__(self, store: BoundedStore, types: JobTypes) -> None:
        self._store = store
        self._types = types

    async def put(self, name: str, document: JsonValue) -> tuple[ScheduleDetail, bool]:
        """Set a schedule; the flag tells whether it is a new one.

        One that is set as it was keeps its next run, even if that is overdue. Raises InvalidRequest, UnknownJobType,
        InvalidInput or StoreUnavailable.
        """
        request = _parse(document)
        published = await self._types.get(request.type)
        check_input(published, request.input)
        schedule, queue = request.schedule(name), published.info.queue
        now, everything = await self._read()
        there = [found for found in everything if found.planned.schedule.name == name]
        same = next((found for found in there if found.queue == queue and found.planned.schedule == schedule), None)
        planned = same.planned if same else Planned(schedule, schedule.next_after(now))
        if same is None:
            await self._store.run(plan(self._store.keys, queue, schedule, planned.next_at))
        for found in there:
            if found.queue != queue:
                await self._store.run(unplan(self._store.keys, found.queue, name))
        return _detail(Found(queue, planned)), not there

    async def all(self) -> list[ScheduleView]:
        """Return all schedules by name. Raises StoreUnavailable."""
        _, everything = await self._read()
        return [_view(found) for found in sorted(everything, key=lambda found: found.planned.schedule.name)]

    async def get(self, name: str) -> ScheduleDetail:
        """Return a schedule. Raises UnknownSchedule or StoreUnavailable."""
        _, everything = await self._read()
        found = next((found for found in everything if found.planned.schedule.name == name), None)
        if found is None:
            raise UnknownSchedule
        return _detail(found)

    async def delete(self, name: str) -> None:
        """Remove a schedule. Raises UnknownSchedule or StoreUnavailable."""
        queues = await self._store.run(read_queues(self._store.keys))
        removed = [await self._store.run(unplan(self._store.keys, queue, name)) for queue in sorted(queues)]
        if not any(removed):
            raise UnknownSchedule

    async def _read(self) -> tuple[datetime, list[Found]]:
        """Return Redis's time and all schedules."""
        keys = self._store.keys
        queues = sorted(await self._store.run(read_queues(keys)))
        agendas = await asyncio.gather(*(self._store.run(read_agenda(keys, queue)) for queue in queues))
        found = [
            Found(queue, planned) for queue, agenda in zip(queues, agendas, strict=True) for planned in agenda.planned
        ]
        return max((agenda.now for agenda in agendas), default=datetime.now().astimezone()), found


def _parse(document: JsonValue) -> ScheduleRequest:
    try:
        return ScheduleRequest.model_validate(document)
    except ValidationError as error:
        raise InvalidRequest(errors=field_errors(error.errors(include_url=False, include_input=False))) from error


def _view(found: Found) -> ScheduleView:
    return ScheduleView(**_facts(found))


def _detail(found: Found) -> ScheduleDetail:
    schedule = found.planned.schedule
    runs = [found.planned.next_at]
    while len(runs) < COMING:
        runs.append(schedule.next_after(runs[-1]))
    return ScheduleDetail(**_facts(found), next_runs=runs)


def _facts(found: Found) -> dict[str, Any]:
    schedule, next_at = found.planned
    within = schedule.start_within
    return {
        "name": schedule.name,
        "type": schedule.type,
        "queue": found.queue,
        "cron": schedule.cron,
        "time_zone": schedule.time_zone,
        "input": schedule.input,
        "priority": schedule.priority.name.lower(),
        "start_within_seconds": within.total_seconds() if within is not None else None,
        "next_run_at": next_at,
    }
