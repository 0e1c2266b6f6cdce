"""The command line's entry: its commands, and errors as sentences and exit codes."""

from __future__ import annotations

import sys

import typer

from heavylift.cli import batch, dev, jobs, keys, pools, queues, replay, run, schedules, submit
from heavylift.cli.exits import exit_code
from heavylift.client import ApiError
from heavylift.errors import HeavyliftError

app = typer.Typer(
    help="Submit heavy jobs, follow them, and run the whole platform on this machine.",
    epilog="Exit codes: 0 ok, 1 the job failed, 2 usage, 3 not found, 4 API unreachable, 5 API refused.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command("submit")(submit.submit)
app.command("jobs")(jobs.list_jobs)
app.command("job")(jobs.show_job)
app.command("cancel")(jobs.cancel)
app.command("submit-batch")(batch.submit_batch)
app.command("replay")(replay.replay)
app.command("queues")(queues.list_queues)
app.add_typer(pools.app, name="pools")
app.command("schedules")(schedules.list_schedules)
app.command("schedule")(schedules.schedule)
app.command("unschedule")(schedules.unschedule)
app.command("dev")(dev.dev)
app.command("run")(run.run)
app.command("keys")(keys.make_key)


def main() -> None:
    """Run the command line."""
    try:
        app()
    except HeavyliftError as error:
        summary = error.summary if isinstance(error, ApiError) else str(error)
        sys.stderr.write(f"heavylift: {summary}\n{_fields(error)}")
        sys.exit(exit_code(error))


def _fields(error: HeavyliftError) -> str:
    faults = error.problem.faults() if isinstance(error, ApiError) else []
    return "".join(f"  {place}: {fault}\n" for place, fault in faults)
