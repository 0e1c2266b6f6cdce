"""A job, and lists of them, as text."""

from __future__ import annotations

from collections.abc import Iterator

import orjson
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from heavylift.cli.output import age, size
from heavylift.client import JobPage, JobView
from heavylift.model import JobStatus

_COLOURS = {
    JobStatus.SUCCEEDED: "green",
    JobStatus.FAILED: "red",
    JobStatus.EXPIRED: "red",
    JobStatus.CANCELLED: "yellow",
    JobStatus.RUNNING: "cyan",
}


def show_page(console: Console, page: JobPage) -> None:
    """Print a table of jobs."""
    table = Table(box=None, pad_edge=False)
    for name in ("id", "type", "status", "created", "took", "what"):
        table.add_column(name, no_wrap=name != "what")
    for job in page.items:
        table.add_row(job.id, escape(job.type), _status(job), age(job.created_at), _took(job), escape(_remark(job)))
    console.print(table if page.items else "No jobs.")
    if page.next_cursor:
        console.print(f"More: --cursor {page.next_cursor}", soft_wrap=True)


def show_job(console: Console, job: JobView) -> None:
    """Print one job."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row("job", job.id)
    grid.add_row("type", escape(job.type))
    grid.add_row("status", _status(job))
    for name, value in _facts(job):
        grid.add_row(name, escape(value))
    for artifact in job.artifacts:
        grid.add_row(artifact.role, escape(f"{artifact.name}  {size(artifact.size)}  {artifact.content_type}"))
    if job.output is not None:
        grid.add_row("result", escape(orjson.dumps(job.output, option=orjson.OPT_INDENT_2).decode()))
    console.print(grid)


def seconds(value: float) -> str:
    """Return a duration in words."""
    if value >= 60:  # noqa: PLR2004
        minutes, rest = divmod(round(value), 60)
        return f"{minutes} min {rest} s"
    return f"{value:.2f} s" if value < 10 else f"{value:.1f} s"  # noqa: PLR2004


def _facts(job: JobView) -> Iterator[tuple[str, str]]:
    yield "created", f"{job.created_at:%Y-%m-%d %H:%M:%S %Z} ({age(job.created_at)})"
    if job.position is not None:
        yield "before it", f"{job.position} jobs"
    if job.run_at is not None:
        yield "runs at", f"{job.run_at:%Y-%m-%d %H:%M:%S %Z}"
    if job.timings and job.timings.waited_seconds is not None:
        yield "waited", seconds(job.timings.waited_seconds)
    if job.timings and job.timings.ran_seconds is not None:
        yield "ran", seconds(job.timings.ran_seconds)
    for attempt in job.attempts:  # a replay counts anew: a number may come twice
        words = (attempt.outcome or "running", f"on {attempt.worker}", attempt.reason)
        yield f"attempt {attempt.number}", ", ".join(word for word in words if word)
    if job.progress and not job.status.terminal:
        yield "progress", _remark(job)
    if job.error:
        yield "error", f"{job.error.message} ({job.error.type})"


def _status(job: JobView) -> str:
    colour = _COLOURS.get(job.status)
    word = f"{job.status} (stopping)" if job.cancel_requested and not job.status.terminal else str(job.status)
    return f"[{colour}]{word}[/]" if colour else word


def _took(job: JobView) -> str:
    ran = job.timings.ran_seconds if job.timings else None
    return seconds(ran) if ran is not None else ""


def _remark(job: JobView) -> str:
    if job.error:
        return job.error.message
    if job.progress is None or job.status.terminal:
        return ""
    share = f"{job.progress.fraction:.0%}" if job.progress.fraction is not None else f"{job.progress.done:g}"
    return f"{share} {job.progress.message or ''}".strip()
