"""`heavylift dev`: the whole platform on this machine."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from heavylift.cli.exits import ExitCode
from heavylift.cli.keys import setting_with_keys
from heavylift.cli.options import DEFAULTS, Data, Json, MinWorkers, Port, RedisUrl, TargetWait, Workers
from heavylift.cli.output import stderr, stdout, write_json
from heavylift.cli.signals import interrupted_by_signals, wait_for_signal
from heavylift.dev import DevStack, StackOptions
from heavylift.dev.options import API_PORT
from heavylift.dev.redis_server import without_password
from heavylift.settings import LogFormat

_NAME_WIDTH = 10


def dev(
    *,
    port: Port = API_PORT,
    workers: Workers = DEFAULTS.workers,
    min_workers: MinWorkers = DEFAULTS.min_workers,
    target_wait: TargetWait = DEFAULTS.target_wait,
    redis_url: RedisUrl = None,
    data: Data = DEFAULTS.data,
    flower: Annotated[bool, typer.Option(help="Run Flower, on port 5555 or the next free one.")] = True,
    jobs: Annotated[
        list[str] | None, typer.Option(metavar="MODULE", help="A module with job types, instead of the built-in ones.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Do not show what the processes write.")] = False,
    json: Json = False,
) -> None:
    """Run Redis, API, workers, controller and Flower until Ctrl-C; restart what dies, and say so."""
    if 0 < workers < min_workers:
        raise typer.BadParameter(f"{min_workers} are more than --workers {workers}.", param_hint="--min-workers")
    options = StackOptions(
        data=data,
        port=port,
        workers=workers,
        min_workers=min_workers,
        target_wait=target_wait,
        redis_url=redis_url or None,
        flower=flower,
        jobs=tuple(jobs or ()),
        env={"HEAVYLIFT_LOG_FORMAT": os.environ.get("HEAVYLIFT_LOG_FORMAT", LogFormat.CONSOLE)},
    )
    console = stderr()
    stack = DevStack(options, announce=announcer(console), echo=None if quiet or json else _echoer(console))
    ready = False
    with interrupted_by_signals(stack.hurry):
        try:
            with stack:
                ready = True
                _show(stack, json=json)
                wait_for_signal()
        except KeyboardInterrupt:
            console.print("All processes have ended.")
            raise typer.Exit(ExitCode.OK if ready else ExitCode.INTERRUPTED) from None


def urls(stack: DevStack) -> dict[str, str]:
    """Return where the parts of a stack are found."""
    found = {"api": stack.api_url, "docs": f"{stack.api_url}/docs", "redis": without_password(stack.redis_url)}
    return found | ({"flower": stack.flower_url} if stack.flower_url else {})


def _show(stack: DevStack, *, json: bool) -> None:
    if json:
        write_json({"urls": urls(stack), "pids": stack.pids(), "data": str(stack.data.root)})
        return
    console = stdout()
    for name, value in {**urls(stack), "data": str(stack.data.root)}.items():
        console.print(f"{name:8}{value}", markup=False, soft_wrap=True)
    console.print(ready_text(), markup=False, soft_wrap=True)


def ready_text() -> str:
    """Return what is said last of a stack that is ready."""
    setting = setting_with_keys()
    ready = "Ready. Ctrl-C ends everything."
    if setting is None:
        return ready
    return (
        f"Since {setting} is set here, requests need a key: `Authorization: Bearer <key>`, "
        f"for the command line HEAVYLIFT_API_KEY.\n{ready}"
    )


def announcer(console: Console) -> Callable[[str], None]:
    """Return a function that prints what the supervisor says."""

    def announce(text: str) -> None:
        console.print(f"[bold]heavylift[/]  {escape(text)}", soft_wrap=True)

    return announce


def _echoer(console: Console) -> Callable[[str, str], None]:
    def echo(name: str, line: str) -> None:
        console.print(f"[dim]{name:{_NAME_WIDTH}}[/] {escape(line)}", soft_wrap=True)

    return echo
