"""Options several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from heavylift.client import Client
from heavylift.dev import StackOptions

_RETRIES = 3
"""A person waits: about a second without an answer, then the command says so."""

Url = Annotated[str, typer.Option("--url", envvar="HEAVYLIFT_URL", help="Where the API is.")]
ApiKey = Annotated[
    str | None, typer.Option("--api-key", envvar="HEAVYLIFT_API_KEY", show_envvar=True, help="Better set as variable.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

Port = Annotated[int, typer.Option(min=1, max=65_535, help="The API's port.")]
Workers = Annotated[
    int, typer.Option(min=0, max=64, help="The most worker processes, one job at a time each; they come with the jobs.")
]
MinWorkers = Annotated[
    int, typer.Option(min=1, max=64, help="Worker processes that stay while there is nothing to do.")
]
TargetWait = Annotated[
    float,
    typer.Option(min=0.1, metavar="SECONDS", help="How long a job should wait at most; decides how many workers come."),
]
RedisUrl = Annotated[
    str | None, typer.Option(envvar="REDIS_URL", help="A Redis to use. Without it the stack runs one of its own.")
]
Data = Annotated[Path, typer.Option(help="The folder for Redis's data, artifacts, logs and results.")]

DEFAULT_URL = "http://127.0.0.1:8000"
DEFAULTS = StackOptions()


class Rank(StrEnum):
    """A priority by name, the way the API spells it."""

    NORMAL = "normal"
    LOW = "low"
    BULK = "bulk"
    IDLE = "idle"


def connect(url: str, api_key: str | None) -> Client:
    """Return a client for the API at `url`. Raises BadParameter for what is no URL."""
    if not url.startswith(("http://", "https://")):
        raise typer.BadParameter(f"{url!r} is no URL; write it as {DEFAULT_URL}.", param_hint="--url")
    return Client(url, api_key, retries=_RETRIES)
