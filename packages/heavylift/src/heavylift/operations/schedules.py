"""Recurring jobs: a schedule says what is submitted, and when."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from heavylift.constants import Keys
from heavylift.model import Schedule
from heavylift.operations.replies import EMPTY, to_int, to_list, to_mapping, to_ms, to_text, to_time
from heavylift.operations.submission import Submission, submission_args
from heavylift.scripts import script
from heavylift.store import Argument, Call, Reply


class Planned(NamedTuple):
    """A schedule and its next run."""

    schedule: Schedule
    next_at: datetime


class Agenda(NamedTuple):
    """The schedules of a queue, soonest first, and Redis's time as they were read."""

    now: datetime
    planned: list[Planned]


def plan(keys: Keys, queue: str, schedule: Schedule, next_at: datetime, *, keep: bool = False) -> Call[bool]:
    """Set a recurring job. True: one of this name was there, and is replaced, or with `keep` left as it is."""
    args: list[Argument] = [schedule.name, schedule.model_dump_json(), to_ms(next_at), int(keep)]
    return Call.of(script("plan"), keys.script_keys(queue), args, lambda reply: reply == 1)


def unplan(keys: Keys, queue: str, name: str) -> Call[bool]:
    """Remove a recurring job; jobs it has submitted stay. False: there was none."""
    return Call.of(script("plan"), keys.script_keys(queue), [name, EMPTY, 0, 0], lambda reply: reply == 1)


def fire(keys: Keys, planned: Planned, after: datetime, submission: Submission) -> Call[bool]:
    """Submit a recurring job whose time has come. False: another scheduler did, or the schedule was changed."""
    args: list[Argument] = [planned.schedule.name, to_ms(planned.next_at), to_ms(after), *submission_args(submission)]
    return Call.of(script("fire"), keys.script_keys(submission.id.queue), args, lambda reply: reply == 1)


def read_agenda(keys: Keys, queue: str) -> Call[Agenda]:
    """Return a queue's schedules."""
    base = keys.base(queue)

    def parse(replies: list[Reply]) -> Agenda:
        seconds, micros = to_list(replies[0])
        now = to_time(to_int(seconds) * 1000 + to_int(micros) // 1000)
        assert now is not None
        definitions = to_mapping(replies[2])
        flat = to_list(replies[1])
        rows = (
            (to_text(name), to_time(int(float(to_text(score))))) for name, score in zip(*[iter(flat)] * 2, strict=True)
        )
        planned = [
            Planned(Schedule.model_validate_json(definitions[name]), next_at)
            for name, next_at in rows
            if next_at is not None and name in definitions
        ]
        return Agenda(now, planned)

    commands = [("TIME",), ("ZRANGE", f"{base}recurring", 0, -1, "WITHSCORES"), ("HGETALL", f"{base}schedules")]
    return Call(commands, parse)
