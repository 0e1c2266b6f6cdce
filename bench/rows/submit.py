"""Jobs a second that one API process accepts over HTTP."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import orjson

from bench.contenders import HEAVYLIFT
from bench.http_server import OWN_API, HttpServer
from bench.load import Load
from bench.machine import cores
from bench.options import Options
from bench.processes import BenchError
from bench.redis_server import RedisServer
from bench.results import Bars, Goal, Result
from bench.spread import Spread, ratios

SECONDS = 3.0
BODY = orjson.dumps({"type": "bench.note", "input": {"number": 1}})

HOW = """\
One API process on a core of its own, 32 keep-alive connections with one request each on its way, from a client on the
other core, where Redis runs too. All servers are uvicorn with uvloop and httptools, and the same FastAPI. *Busy* is the
share of its core that a process used: the server's near 100 % says that it was the limit, not the client; a rate a
CPU-second of the server stays comparable where something else used the machine. After every round the jobs in Redis are
counted: as many as were answered 202. Heavylift checks the input against the job type's schema and keeps a record, an
event and the message; Celery keeps the message."""


@dataclass(frozen=True)
class Variant:
    """A way to accept a job."""

    name: str
    path: str
    module: str | None
    """In bench/peers; None for Heavylift's own API."""
    accepted: Callable[[RedisServer], int] | None
    """How many jobs lie in Redis."""


def _ours(server: RedisServer) -> int:
    return server.ask("LLEN", "bench")


def _celery(server: RedisServer) -> int:
    return server.ask("LLEN", "celery")


HEAVYLIFT_API = Variant("Heavylift, POST /v1/jobs", "/v1/jobs", None, _ours)
DELAY = Variant("Celery, delay() in async def", "/delay", "celery_http", _celery)
DELAY_QUICK = Variant("Celery, the same without result backend", "/delay_without_results", "celery_http", _celery)
DELAY_THREAD = Variant("Celery, delay() in plain def", "/delay_in_thread", "celery_http", _celery)
NOOP = Variant("no-op route with Pydantic models", "/validated", "noop_http", None)
NOOP_BARE = Variant("no-op route without models", "/bare", "noop_http", None)
VARIANTS = (HEAVYLIFT_API, DELAY, DELAY_QUICK, DELAY_THREAD, NOOP, NOOP_BARE)


def measure(options: Options) -> Result:
    """Return the row."""
    found: dict[str, list[Load]] = defaultdict(list)
    for number in range(options.rounds):
        shift = number % len(VARIANTS)
        for variant in (*VARIANTS[shift:], *VARIANTS[:shift]):
            found[variant.name].append(_round(variant, options.folder / f"submit-{number}{variant.path}"))
    return _result(found)


def _round(variant: Variant, folder: Path) -> Load:
    with ExitStack() as stack:
        server = stack.enter_context(RedisServer(folder, cores=cores()[1]))
        notes = folder / "notes"
        if variant.module is None:
            HEAVYLIFT.call(server, notes, "publish")
            http = HttpServer(OWN_API, server, notes)
        else:
            http = HttpServer.of_peer(variant.module, server, notes)
        stack.enter_context(http)
        load = http.under_load(variant.path, BODY, seconds=SECONDS)
        if set(load.answers) != {"202"}:
            raise BenchError(f"{variant.name}: answers {load.answers}")
        if variant.accepted and variant.accepted(server) != load.answers["202"]:
            raise BenchError(f"{variant.name}: {variant.accepted(server)} jobs in Redis, answered {load.answers}")
        return load


def _result(found: dict[str, list[Load]]) -> Result:
    rates = {name: [load.per_second for load in loads] for name, loads in found.items()}
    per_cpu = {name: [load.per_second / load.server_busy for load in loads] for name, loads in found.items()}
    ours = rates[HEAVYLIFT_API.name]
    lines = [
        [
            variant.name,
            Spread.of(rates[variant.name]).text(),
            Spread.of(per_cpu[variant.name]).text(),
            *(_of(loads, "p50", 1000).text(1), _of(loads, "p99", 1000).text(1)),
            *(f"{_of(loads, which, 100).median:.0f} %" for which in ("server_busy", "load_busy")),
            ratios(ours, rates[variant.name]).text(2),
            ratios(per_cpu[HEAVYLIFT_API.name], per_cpu[variant.name]).text(2),
        ]
        for variant in VARIANTS
        for loads in [found[variant.name]]
    ]
    quickest = max((DELAY, DELAY_QUICK), key=lambda variant: Spread.of(rates[variant.name]).median)
    return Result(
        row="submit",
        title="Jobs accepted over HTTP",
        how=HOW,
        columns=[
            "",
            "requests / s",
            "requests / CPU s of the server",
            "p50, ms",
            "p99, ms",
            "server busy",
            "client busy",
            "Heavylift / this",
            "…, a CPU s",
        ],
        lines=lines,
        goals=[
            Goal.at_least("accepted / stock `delay()` in `async def`", 3, ratios(ours, rates[DELAY.name])),
            Goal.at_least(
                f"accepted / the quickest stock way ({quickest.name})", 3, ratios(ours, rates[quickest.name])
            ),
            Goal.at_least("accepted / no-op route with models", 0.55, ratios(ours, rates[NOOP.name])),
        ],
        charts=[
            Bars(
                "submit",
                "Requests accepted per second, one process, 32 connections",
                "requests / s",
                {name: Spread.of(values) for name, values in rates.items()},
            )
        ],
        rounds=rates | {f"{name}, a CPU s": values for name, values in per_cpu.items()},
    )


def _of(loads: list[Load], which: str, scale: float) -> Spread:
    return Spread.of([getattr(load, which) * scale for load in loads])
