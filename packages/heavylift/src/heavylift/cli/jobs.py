"""`heavylift jobs`, `heavylift job` and `heavylift cancel`: looking at jobs and stopping them."""

from __future__ import annotations

from typing import Annotated

import typer

from heavylift.cli.exits import ExitCode
from heavylift.cli.follow import follow
from heavylift.cli.options import DEFAULT_URL, ApiKey, Json, Url, connect
from heavylift.cli.output import stderr, stdout, write_json
from heavylift.cli.show import show_job as print_job
from heavylift.cli.show import show_page
from heavylift.model import JobStatus

JobIdArgument = Annotated[str, typer.Argument(metavar="ID", help="A job's id.")]


def list_jobs(
    *,
    status: Annotated[JobStatus | None, typer.Option(help="Only jobs in this state.")] = None,
    job_type: Annotated[str | None, typer.Option("--type", help="Only jobs of this type.")] = None,
    queue: Annotated[str | None, typer.Option(help="Only jobs of this queue.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many.")] = 20,
    cursor: Annotated[str | None, typer.Option(help="Go on where the last page ended.")] = None,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
    json: Json = False,
) -> None:
    """List jobs, newest first."""
    with connect(url, api_key) as client:
        page = client.list(status=status, job_type=job_type, queue=queue, limit=limit, cursor=cursor)
    if json:
        write_json(page)
    else:
        show_page(stdout(), page)


def show_job(
    job_id: JobIdArgument,
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Follow the job until it has ended.")] = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
    json: Json = False,
) -> None:
    """Show a job. With --watch the exit code is 1 unless it succeeded."""
    with connect(url, api_key) as client:
        job = follow(client, job_id, console=stderr()) if watch else client.get(job_id)
    if json:
        write_json(job)
    else:
        print_job(stdout(), job)
    raise typer.Exit(ExitCode.JOB_FAILED if watch and job.status is not JobStatus.SUCCEEDED else ExitCode.OK)


def cancel(job_id: JobIdArgument, *, url: Url = DEFAULT_URL, api_key: ApiKey = None, json: Json = False) -> None:
    """Cancel a waiting job, or ask a running one to stop."""
    with connect(url, api_key) as client:
        job = client.cancel(job_id)
    if json:
        write_json(job)
    elif job.status is JobStatus.CANCELLED:
        stdout().print(f"{job.id} is cancelled.")
    else:
        stdout().print(f"{job.id} was asked to stop; `heavylift job {job.id} --watch` shows when it has.")
