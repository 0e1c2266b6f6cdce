"""`heavylift replay`: queues failed jobs again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from heavylift.cli.exits import ExitCode
from heavylift.cli.options import DEFAULT_URL, ApiKey, Json, Url, connect
from heavylift.cli.output import stderr, stdout, write_json
from heavylift.client import Client, Conflict, NotFound

MOST = 10_000
"""Jobs the API replays in one request."""

_TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]
_WHEN = "In UTC unless it has an offset."


def replay(
    job_ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Failed jobs.")] = None,
    *,
    job_type: Annotated[str | None, typer.Option("--type", help="All failed jobs of this type.")] = None,
    queue: Annotated[str | None, typer.Option(help="All failed jobs of this queue.")] = None,
    error: Annotated[str | None, typer.Option(help="All with this type of error, such as out_of_memory.")] = None,
    failed_after: Annotated[
        datetime | None, typer.Option("--after", formats=_TIMES, help=f"All that failed after it. {_WHEN}")
    ] = None,
    failed_before: Annotated[
        datetime | None, typer.Option("--before", formats=_TIMES, help=f"All that failed before it. {_WHEN}")
    ] = None,
    all_failed: Annotated[bool, typer.Option("--all", help="All failed jobs.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="So many at most.")] = None,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
    json: Json = False,
) -> None:
    """Queue failed jobs again: those named, or all that fit every option given."""
    wanted: dict[str, str | datetime | None] = {
        "job_type": job_type,
        "queue": queue,
        "error": error,
        "failed_after": _aware(failed_after),
        "failed_before": _aware(failed_before),
    }
    chosen: dict[str, str | datetime | bool] = {name: value for name, value in wanted.items() if value is not None}
    if all_failed:
        chosen["all_failed"] = True
    if bool(job_ids) == bool(chosen):
        raise typer.BadParameter(
            "name jobs, or give --type, --queue, --error, --after, --before or --all.", param_hint="ID"
        )
    with connect(url, api_key) as client:
        if job_ids:
            replayed, code = _replay_named(client, job_ids)
        else:
            replayed, code = _replay_fitting(client, chosen, limit), ExitCode.OK
    if json:
        write_json({"replayed": replayed})
    else:
        stdout().print(f"{replayed} {'job' if replayed == 1 else 'jobs'} queued again.")
    raise typer.Exit(code)


def _replay_named(client: Client, job_ids: list[str]) -> tuple[int, ExitCode]:
    replayed, code = 0, ExitCode.OK
    for job_id in job_ids:
        try:
            client.replay(job_id)
        except (NotFound, Conflict) as error:
            code = ExitCode.NOT_FOUND if isinstance(error, NotFound) else ExitCode.REFUSED
            stderr().print(f"{job_id}: {error}", markup=False, soft_wrap=True)
        else:
            replayed += 1
    return replayed, code


def _replay_fitting(client: Client, chosen: dict[str, str | datetime | bool], limit: int | None) -> int:
    replayed, cursor = 0, None
    while limit is None or replayed < limit:
        most = MOST if limit is None else min(limit - replayed, MOST)
        answer = client.replay_jobs(**chosen, limit=most, cursor=cursor)  # ty: ignore[invalid-argument-type] - by name
        replayed += answer.replayed
        cursor = answer.next_cursor
        if cursor is None:
            break
    return replayed


def _aware(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment
