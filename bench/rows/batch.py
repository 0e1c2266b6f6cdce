"""Ten thousand jobs: in one request, and from a program that imports the library."""

from __future__ import annotations

import http.client
import time
from collections import defaultdict
from pathlib import Path

import orjson

from bench.contenders import CELERY, HEAVYLIFT, Contender
from bench.http_server import OWN_API, HttpServer
from bench.options import Options
from bench.processes import BenchError
from bench.redis_server import RedisServer
from bench.results import Bars, Goal, Result
from bench.spread import Spread, ratios

JOBS = 10_000
PATIENCE_SECONDS = 120
BATCH = "/v1/jobs:batch"

OURS = "Heavylift, one POST /v1/jobs:batch"
LOOP = "Celery, a loop of delay() behind one POST"
LIBRARY = "Heavylift, the library: a script for every 500"
DELAY = "Celery, a loop of delay() in a program"

HOW = f"""\
{JOBS:,} jobs. Over HTTP: one request with all of them to one API process, the stock one from a producer without result
backend, its quickest way; the clock runs from the request's first byte to the answer's last. In a program: the time of
the calls, in one process, imports apart. Afterwards the jobs in Redis are counted."""


def measure(options: Options) -> Result:
    """Return the row."""
    found: dict[str, list[float]] = defaultdict(list)
    for number in range(options.rounds):
        folder = options.folder / f"batch-{number}"
        found[LOOP].append(_post_to_celery(folder / "loop"))
        if (seconds := _post_to_heavylift(folder / "ours")) is not None:
            found[OURS].append(seconds)
        found[LIBRARY].append(_fill(HEAVYLIFT, folder / "library", "bench"))
        found[DELAY].append(_fill(CELERY, folder / "delay", "celery"))
    rates = {name: [JOBS / seconds for seconds in found[name]] for name in (OURS, LOOP, LIBRARY, DELAY) if found[name]}
    missing = [] if OURS in rates else [[OURS, "missing: the API has no such route", "", ""]]
    lines = [
        [
            name,
            Spread.of(rate).text(),
            Spread.of([1000 * JOBS / each for each in rate]).text(),
            ratios(rate, rates[DELAY]).text(1),
        ]
        for name, rate in rates.items()
    ]
    return Result(
        row="batch",
        title="Ten thousand jobs at once",
        how=HOW,
        columns=["", "jobs / s", "ms for all", "times a loop of delay()"],
        lines=missing + lines,
        goals=[_goal(rates), Goal.at_least("library / loop of `delay()`", 20, ratios(rates[LIBRARY], rates[DELAY]))],
        charts=[Bars("batch", f"{JOBS:,} jobs at once", "jobs / s", {k: Spread.of(v) for k, v in rates.items()})],
        rounds=rates,
    )


def _goal(rates: dict[str, list[float]]) -> Goal:
    what = "one batch / a loop of `delay()` behind one POST"
    if OURS not in rates:
        return Goal(what, "≥ 20 x", "the route is missing", None)
    return Goal.at_least(what, 20, ratios(rates[OURS], rates[LOOP]))


def _post_to_celery(folder: Path) -> float:
    jobs = [{"type": "bench.note", "input": {"number": number}} for number in range(JOBS)]
    with RedisServer(folder) as server, HttpServer.of_peer("celery_http", server, folder / "notes") as api:
        status, seconds = _post(api.port, "/batch", orjson.dumps(jobs))
        _check(server, "celery", status)
        return seconds


def _post_to_heavylift(folder: Path) -> float | None:
    """Return the seconds it took; None where the API has no such route."""
    jobs = [{"type": "bench.note", "input": {"number": number}} for number in range(JOBS)]
    with RedisServer(folder) as server:
        HEAVYLIFT.call(server, folder / "notes", "publish")
        with HttpServer(OWN_API, server, folder / "notes") as api:
            if _post(api.port, BATCH, b'{"items":[]}')[0] in {404, 405}:
                return None
            status, seconds = _post(api.port, BATCH, orjson.dumps({"items": jobs}))
            _check(server, "bench", status)
            return seconds


def _post(port: int, path: str, body: bytes) -> tuple[int, float]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    connection.connect()
    began = time.monotonic()
    connection.request("POST", path, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    content = answer.read()
    seconds = time.monotonic() - began
    connection.close()
    if answer.status >= 500:
        raise BenchError(f"POST {path} answered {answer.status}: {content[:500]!r}")
    return answer.status, seconds


def _fill(contender: Contender, folder: Path, queue: str) -> float:
    with RedisServer(folder) as server:
        seconds = float(contender.call(server, folder / "notes", "fill", str(JOBS)))
        _check(server, queue, 202)
        return seconds


def _check(server: RedisServer, queue: str, status: int) -> None:
    waiting = server.ask("LLEN", queue)
    if status // 100 != 2 or waiting != JOBS:
        raise BenchError(f"answer {status}; {waiting} of {JOBS} jobs in {queue}")
