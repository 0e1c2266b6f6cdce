"""`heavylift schedules`, `schedule` and `unschedule`: recurring jobs."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.markup import escape
from rich.table import Table

from heavylift.cli.inputs import parse_json_input
from heavylift.cli.options import DEFAULT_URL, ApiKey, Json, Rank, Url, connect
from heavylift.cli.output import stdout, write_json
from heavylift.client import ScheduleView
from heavylift.model import Priority

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The schedule's name.")]


def list_schedules(*, url: Url = DEFAULT_URL, api_key: ApiKey = None, json: Json = False) -> None:
    """List the recurring jobs."""
    with connect(url, api_key) as client:
        schedules = client.schedules()
    if json:
        write_json({"items": schedules})
        return
    table = Table(box=None, pad_edge=False)
    for name in ("name", "type", "queue", "cron", "next run"):
        table.add_column(name, no_wrap=True)
    for schedule in schedules:
        cells = (schedule.name, schedule.type, schedule.queue, schedule.cron, _next_run(schedule))
        table.add_row(*map(escape, cells))
    stdout().print(table if schedules else "No schedules.")


def schedule(
    name: NameArgument,
    job_type: Annotated[str, typer.Argument(metavar="TYPE", help="A job type, such as video.transcode.")],
    job_input: Annotated[str, typer.Argument(metavar="INPUT", help="JSON; or @FILE that holds JSON (@- for stdin).")],
    *,
    cron: Annotated[str, typer.Option(help="Minute, hour, day of month, month, day of week: '30 2 * * *'.")],
    time_zone: Annotated[str, typer.Option(help="Such as Europe/Berlin.")] = "UTC",
    priority: Annotated[Rank, typer.Option(help="Lower ones give way to the rest of the queue.")] = Rank.NORMAL,
    start_within: Annotated[
        float | None, typer.Option(min=0, metavar="SECONDS", help="Drop a run that has not started for so long.")
    ] = None,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
    json: Json = False,
) -> None:
    """Set a recurring job, new or in place of the one of this name."""
    with connect(url, api_key) as client:
        made = client.schedule(
            name,
            job_type,
            parse_json_input(job_input),
            cron=cron,
            time_zone=time_zone,
            priority=Priority[priority.name],
            start_within=timedelta(seconds=start_within) if start_within else None,
        )
    if json:
        write_json(made)
        return
    stdout().print(f"{made.name} runs {made.type}; its next runs:")
    for run in made.next_runs:
        stdout().print(f"  {run.astimezone(ZoneInfo(made.time_zone)):%a %Y-%m-%d %H:%M %Z}")


def unschedule(name: NameArgument, *, url: Url = DEFAULT_URL, api_key: ApiKey = None) -> None:
    """Remove a recurring job. Jobs it has submitted stay."""
    with connect(url, api_key) as client:
        client.unschedule(name)
    stdout().print(f"{name} is removed.", markup=False)


def _next_run(schedule: ScheduleView) -> str:
    return f"{schedule.next_run_at.astimezone(ZoneInfo(schedule.time_zone)):%Y-%m-%d %H:%M} {schedule.time_zone}"
