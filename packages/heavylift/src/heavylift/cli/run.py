"""`heavylift run`: starts everything, transcodes one film, and serves. `make run` calls it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from heavylift.cli.dev import announcer, urls
from heavylift.cli.exits import ExitCode
from heavylift.cli.follow import follow
from heavylift.cli.keys import new_key, setting_with_keys
from heavylift.cli.options import DEFAULTS, Data, Json, Port, RedisUrl, Workers
from heavylift.cli.output import size, stderr, stdout, write_json
from heavylift.cli.show import seconds
from heavylift.cli.signals import interrupted_by_signals, wait_for_signal
from heavylift.cli.submit import upload
from heavylift.client import Client, JobView
from heavylift.dev import DevStack, StackError, StackOptions
from heavylift.dev.options import API_PORT
from heavylift.model import JobStatus

_TYPE = "video.transcode"


def run(
    film: Annotated[Path | None, typer.Argument(metavar="FILE", help="A film; by default one that is made up.")] = None,
    *,
    once: Annotated[bool, typer.Option("--once", help="End after the job, with its status.")] = False,
    port: Port = API_PORT,
    workers: Workers = DEFAULTS.workers,
    redis_url: RedisUrl = None,
    data: Data = DEFAULTS.data,
    json: Json = False,
) -> None:
    """Start everything, run video.transcode on a film with live progress, show what came out, serve until Ctrl-C."""
    if film is not None and not film.is_file():
        raise typer.BadParameter(f"there is no file {film}.", param_hint="FILE")
    console = stderr()
    key, keys = _own_key()
    options = StackOptions(data=data, port=port, workers=workers, redis_url=redis_url or None, env=keys)
    stack = DevStack(options, announce=announcer(console))
    status = ExitCode.INTERRUPTED
    with interrupted_by_signals(stack.hurry):
        try:
            console.print("Starting Redis, API, workers, controller and Flower …")
            with stack:
                status = _transcode(stack, key, film or _sample(stack.data.root), console=console, json=json)
                if not once:
                    console.print("Serving until Ctrl-C.")
                    wait_for_signal()
        except KeyboardInterrupt:
            console.print("All processes have ended.")
    raise typer.Exit(status)


def _own_key() -> tuple[str | None, dict[str, str]]:
    """Return a key for this run's own requests and the settings that make the API know it, where keys are in use."""
    if setting_with_keys() is None:
        return None, {}
    key, entry = new_key("run")
    return key, {"HEAVYLIFT_API_KEYS": ",".join(filter(None, [os.environ.get("HEAVYLIFT_API_KEYS"), entry]))}


def _transcode(stack: DevStack, key: str | None, film: Path, *, console: Console, json: bool) -> ExitCode:
    with Client(stack.api_url, key) as client:
        console.print(f"film    {film} ({size(film.stat().st_size)})", markup=False, soft_wrap=True)
        job = upload(client, film, _TYPE, console=console)
        console.print(f"job     {job.id}")
        job = follow(client, job.id, console=console)
        folder = stack.data.results / job.id
        results = [client.download(job.id, artifact.name, folder / artifact.name) for artifact in job.outputs]
    if json:
        write_json({"job": job, "results": results, "urls": urls(stack)})
    else:
        _show(stdout(), job, results, urls(stack))
    return ExitCode.OK if job.status is JobStatus.SUCCEEDED else ExitCode.JOB_FAILED


def _show(console: Console, job: JobView, results: list[Path], places: dict[str, str]) -> None:
    lines = [("status", job.status.value)]
    if job.error is not None:
        lines.append(("error", job.error.message))
    if results:
        lines.append(("result", str(results[0].parent)))
        lines += [("", f"{path.name:<14}{size(path.stat().st_size):>8}") for path in results]
    lines += [("stages" if number == 0 else "", line) for number, line in enumerate(_stage_lines(job))]
    lines += [("docs", places["docs"]), ("flower", places["flower"])]
    for name, value in lines:
        console.print(f"{name:8}{value}", markup=False, soft_wrap=True)


def _stage_lines(job: JobView) -> list[str]:
    return [f"{name:<14}{seconds(took):>8}" for name, took in stages(job)]


def stages(job: JobView) -> list[tuple[str, float]]:
    """Return how long each part of the job's way took, in seconds; `run in all` includes starting its process."""
    waited = job.timings.waited_seconds if job.timings else None
    ran = job.timings.ran_seconds if job.timings else None
    inside = job.output.get("stages") if isinstance(job.output, dict) else None
    found = {"waiting": waited, **(inside if isinstance(inside, dict) else {}), "run in all": ran}
    return [(name, float(took)) for name, took in found.items() if isinstance(took, int | float)]


def _sample(folder: Path) -> Path:
    path = folder / "sample.mp4"
    if path.exists():
        return path
    # A program of the worker's: this package must not need the worker's libraries.
    part = path.with_name(f".{path.name}")
    command = [sys.executable, "-m", "heavylift_worker.jobs.video.sample", str(part)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own module
    if made.returncode != 0:
        raise StackError(f"The sample film could not be made: {made.stderr.strip()}")
    return part.replace(path)
