"""`heavylift submit`: sends a job in."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from pydantic import JsonValue
from rich.console import Console

from heavylift.cli.exits import ExitCode
from heavylift.cli.follow import follow
from heavylift.cli.inputs import parse_fields, parse_input
from heavylift.cli.options import DEFAULT_URL, ApiKey, Json, Rank, Url, connect
from heavylift.cli.output import stderr, stdout, write_json
from heavylift.cli.show import show_job
from heavylift.client import Client, JobView
from heavylift.model import JobStatus, Priority


def submit(
    job_type: Annotated[str, typer.Argument(metavar="TYPE", help="A job type, such as video.transcode.")],
    job_input: Annotated[
        str,
        typer.Argument(
            metavar="INPUT", help="JSON; or @FILE that holds JSON (@- for stdin); or a file to upload, for such a type."
        ),
    ],
    *,
    wait: Annotated[bool, typer.Option("--wait", help="Follow the job until it has ended.")] = False,
    fields: Annotated[
        str | None, typer.Option("--with", metavar="JSON", help="Further input fields beside an uploaded file.")
    ] = None,
    priority: Annotated[Rank, typer.Option(help="Lower ones give way to the rest of the queue.")] = Rank.NORMAL,
    delay: Annotated[float, typer.Option(min=0, metavar="SECONDS", help="Do not start before.")] = 0,
    idempotency_key: Annotated[
        str | None, typer.Option(help="Submits under one key make one job, however often they are sent.")
    ] = None,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
    json: Json = False,
) -> None:
    """Submit a job. With --wait the exit code is 1 unless it succeeded."""
    errors = stderr()
    with connect(url, api_key) as client:
        given = parse_input(job_input, job_type, takes_file=lambda: _takes_file(client, job_type))
        if isinstance(given, Path):
            if priority is not Rank.NORMAL or delay:
                raise typer.BadParameter("--priority and --delay are not for uploads.", param_hint="INPUT")
            job = upload(client, given, job_type, fields=parse_fields(fields), key=idempotency_key, console=errors)
        else:
            if fields is not None:
                raise typer.BadParameter("it goes with a file; INPUT is JSON already.", param_hint="--with")
            job = client.submit(
                job_type,
                given,
                priority=Priority[priority.name],
                delay=timedelta(seconds=delay) if delay else None,
                idempotency_key=idempotency_key,
            )
        if wait:
            errors.print(job.id)
            job = follow(client, job.id, console=errors)
    if json:
        write_json(job)
    elif wait:
        show_job(stdout(), job)
    else:
        stdout().print(job.id)
    raise typer.Exit(ExitCode.JOB_FAILED if wait and job.status is not JobStatus.SUCCEEDED else ExitCode.OK)


def upload(
    client: Client, path: Path, job_type: str, *, fields: JsonValue = None, key: str | None = None, console: Console
) -> JobView:
    """Send a file in, with its progress on the console if that is a terminal. Raises BadParameter, ClientError."""
    try:
        with console.status(f"sending {path.name}") as status:
            total = max(path.stat().st_size, 1)
            return client.upload(
                path,
                job_type,
                job_input=fields,
                idempotency_key=key,
                on_sent=lambda sent: status.update(f"sending {path.name}: {sent / total:.0%}"),
            )
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be read ({error.strerror}).", param_hint="INPUT") from error


def _takes_file(client: Client, job_type: str) -> bool:
    info = client.job_types().get(job_type)
    return info is None or info.file_field is not None  # of an unknown type the API says so itself
