"""`heavylift pools`: what each pool of workers does and why, and a person's word about it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from heavylift.cli.exits import ExitCode
from heavylift.cli.inputs import parse_duration
from heavylift.cli.options import DEFAULT_URL, ApiKey, Json, Url, connect
from heavylift.cli.output import age, stdout, write_json
from heavylift.cli.show import seconds
from heavylift.client import Client, PoolView

EVERY = 1.0
"""Seconds between two looks of --watch: the controller decides about as often."""

app = typer.Typer(invoke_without_command=True)

PoolArgument = Annotated[str, typer.Argument(metavar="POOL", help="A pool's name.")]


@app.callback()
def list_pools(
    context: typer.Context,
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Look again every second, until Ctrl-C.")] = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
    json: Json = False,
) -> None:
    """Show the pools of workers: how many there are, how many are wanted, and why; hold or pause one."""
    if context.invoked_subcommand is not None:
        return
    with connect(url, api_key) as client:
        looks = _looks(client, forever=watch)
        if json:
            for pools in looks:
                write_json({"items": pools})
        elif watch:
            show_live(looks, stdout())
        else:
            stdout().print(_table(next(looks)))


@app.command("show")
def show_pool(pool: PoolArgument, *, url: Url = DEFAULT_URL, api_key: ApiKey = None, json: Json = False) -> None:
    """Show a pool with the record of its last decision: what was seen, what each term asks for, the last changes."""
    with connect(url, api_key) as client:
        found = client.pool(pool)
    if json:
        write_json(found)
        return
    _show(stdout(), found)


@app.command()
def hold(
    pool: PoolArgument,
    replicas: Annotated[int, typer.Argument(min=0, metavar="WORKERS", help="How many workers.")],
    *,
    duration: Annotated[
        str | None, typer.Option("--for", metavar="DURATION", help="End the hold after so long: 90s, 30m, 2h, 1d.")
    ] = None,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Hold a pool at a number of workers, whatever its queues say. Busy workers finish their jobs first."""
    lasting = parse_duration(duration) if duration is not None else None
    with connect(url, api_key) as client:
        client.hold_pool(pool, replicas, lasting=lasting)
    end = f"until {datetime.now(UTC) + lasting:%Y-%m-%d %H:%M:%S %Z}, or " if lasting else ""
    _say(f"{pool} is held at {replicas} {end}until `heavylift pools release {pool}`.")


@app.command()
def release(pool: PoolArgument, *, url: Url = DEFAULT_URL, api_key: ApiKey = None) -> None:
    """End a hold: the number of workers is decided again."""
    _order(url, api_key, lambda client: client.release_pool(pool))
    _say(f"{pool} is released: its queues decide.")


@app.command()
def pause(pool: PoolArgument, *, url: Url = DEFAULT_URL, api_key: ApiKey = None) -> None:
    """Leave the number of workers as it is, whatever the queues say."""
    _order(url, api_key, lambda client: client.pause_pool(pool))
    _say(f"{pool} stays as it is until `heavylift pools resume {pool}`.")


@app.command()
def resume(pool: PoolArgument, *, url: Url = DEFAULT_URL, api_key: ApiKey = None) -> None:
    """End a pause."""
    _order(url, api_key, lambda client: client.resume_pool(pool))
    _say(f"{pool} follows its queues again.")


@app.command("freeze-in")
def freeze_in(pool: PoolArgument, *, url: Url = DEFAULT_URL, api_key: ApiKey = None) -> None:
    """Take no workers away; more may come."""
    _order(url, api_key, lambda client: client.freeze_pool_in(pool))
    _say(f"{pool} loses no worker until `heavylift pools thaw {pool}`.")


@app.command("freeze-out")
def freeze_out(pool: PoolArgument, *, url: Url = DEFAULT_URL, api_key: ApiKey = None) -> None:
    """Add no workers; idle ones may go."""
    _order(url, api_key, lambda client: client.freeze_pool_out(pool))
    _say(f"{pool} gets no more workers until `heavylift pools thaw {pool}`.")


@app.command()
def thaw(pool: PoolArgument, *, url: Url = DEFAULT_URL, api_key: ApiKey = None) -> None:
    """End a freeze."""
    _order(url, api_key, lambda client: client.thaw_pool(pool))
    _say(f"{pool} may grow and shrink again.")


def _order(url: str, api_key: str | None, order: Callable[[Client], PoolView]) -> None:
    with connect(url, api_key) as client:
        order(client)


def _say(sentence: str) -> None:
    stdout().print(sentence, markup=False, soft_wrap=True)


def _looks(client: Client, *, forever: bool) -> Iterator[list[PoolView]]:
    for look in count():
        if look:
            time.sleep(EVERY)
        yield client.pools()
        if not forever:
            return


def show_live(looks: Iterable[list[PoolView]], console: Console) -> None:
    """Show each look in place of the one before; without a terminal one after the other. Ctrl-C ends it."""
    try:
        if console.is_terminal:
            with Live(console=console, auto_refresh=False) as live:
                for pools in looks:
                    live.update(_table(pools), refresh=True)
        else:
            for pools in looks:
                console.print(_table(pools))
    except KeyboardInterrupt:
        raise typer.Exit(ExitCode.INTERRUPTED) from None


def _table(pools: list[PoolView]) -> Table | str:
    if not pools:
        return "No pools: no controller decides how many workers there are (HEAVYLIFT_SCALING)."
    table = Table(box=None, pad_edge=False)
    for name in ("pool", "queues"):
        table.add_column(name, no_wrap=True)
    for name in ("waiting", "running", "oldest", "current", "desired", "ready", "draining"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("reason")
    for pool in pools:
        oldest = seconds(pool.oldest_age_seconds) if pool.waiting and pool.oldest_age_seconds is not None else ""
        numbers = map(_number, (pool.waiting, pool.running))
        workers = map(str, (pool.current, pool.desired, pool.ready, len(pool.draining)))
        cells = (pool.pool, ", ".join(pool.queues), *numbers, oldest, *workers, _why(pool))
        table.add_row(*map(escape, cells), style="dim" if pool.stale else None)
    return table


def _number(value: int | None) -> str:
    return "?" if value is None else str(value)


def _why(pool: PoolView) -> str:
    """Return the decision's sentence, after what makes it less than it seems."""
    words = [
        f"out of date, decided {age(pool.decided_at)};" if pool.stale else "",
        "shadow:" if pool.shadow else "",
        "paused;" if pool.paused else "",
        f"held by {pool.held_by}{_until(pool)};" if pool.held_by else "",
        pool.reason,
        pool.note,
    ]
    return " ".join(word for word in words if word)


def _until(pool: PoolView) -> str:
    return f" until {pool.hold_until:%Y-%m-%d %H:%M:%S %Z}" if pool.hold_until else ""


def _show(console: Console, pool: PoolView) -> None:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in _facts(pool).items():
        grid.add_row(name, escape(value))
    for number, change in enumerate(pool.last):
        words = f"{change.at:%Y-%m-%d %H:%M:%S %Z}  {change.before} → {change.after}  {change.reason}"
        grid.add_row("changes" if number == 0 else "", escape(words))
    console.print(grid)


def _facts(pool: PoolView) -> dict[str, str]:
    facts = {
        "pool": pool.pool,
        "scales": pool.target,
        "queues": ", ".join(pool.queues),
        "jobs": f"{_number(pool.waiting)} waiting, {_number(pool.running)} running",
        "workers": f"{pool.current} asked for, {pool.desired} wanted, {pool.ready} ready",
        "draining": ", ".join(pool.draining),
        "decided": f"{pool.decided_at:%Y-%m-%d %H:%M:%S %Z} ({age(pool.decided_at)})",
        "limiter": pool.limiter,
        "reason": _why(pool),
        "seen": _listed(pool.inputs),
        "terms": _listed(pool.terms),
    }
    return {name: value for name, value in facts.items() if value}


def _listed(values: dict[str, float | None] | dict[str, int]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {_short(value)}" for name, value in values.items() if value is not None)


def _short(value: float) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
