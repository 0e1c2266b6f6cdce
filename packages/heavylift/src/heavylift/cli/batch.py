"""`heavylift submit-batch`: sends many jobs in."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import orjson
import typer
from pydantic import JsonValue

from heavylift.cli.exits import ExitCode
from heavylift.cli.options import DEFAULT_URL, ApiKey, Json, Url, connect
from heavylift.cli.output import stderr, write_json
from heavylift.client import BatchResult, ClientError

MOST = 10_000
"""Jobs the API takes in one request."""

_HINT = "FILE"
_SHOWN = 20
"""Refusals that are printed; --json has all."""


def submit_batch(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Jobs as JSON, one a line, or one list; - for stdin.")],
    *,
    job_type: Annotated[
        str | None, typer.Option("--type", help="The type of all jobs: FILE holds their inputs alone.")
    ] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(help="The same FILE sent again under one key makes no job twice.")
    ] = None,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
    json: Json = False,
) -> None:
    """Submit many jobs, 10,000 a request. The exit code is 5 unless all of them were accepted."""
    jobs = [_job(number, each, job_type) for number, each in enumerate(_read(file), start=1)]
    if not jobs:
        raise typer.BadParameter("it holds no jobs.", param_hint=_HINT)
    key = idempotency_key or str(uuid4())
    results: list[BatchResult] = []
    try:
        with connect(url, api_key) as client:
            for start in range(0, len(jobs), MOST):
                some = jobs[start : start + MOST]
                results += client.submit_batch(some, idempotency_key=f"{key}-{start}").results
    except ClientError:
        _write(results, json=json)
        _advise(key)
        raise
    _write(results, json=json)
    if any(result.outcome == "unconfirmed" for result in results):
        _advise(key)
    raise typer.Exit(ExitCode.OK if all(result.accepted for result in results) else ExitCode.REFUSED)


def _write(results: Sequence[BatchResult], *, json: bool) -> None:
    if json:
        write_json({"counts": _counts(results), "results": results})
    elif results:
        _show(results)


def _advise(key: str) -> None:
    stderr().print(f"To send it again, making no job twice: --idempotency-key {key}", markup=False, soft_wrap=True)


def _show(results: Sequence[BatchResult]) -> None:
    for result in results:
        if result.accepted:
            sys.stdout.write(f"{result.id}\n")
    failed = [(place, result) for place, result in enumerate(results, start=1) if not result.accepted]
    errors = stderr()
    for place, result in failed[:_SHOWN]:
        detail = result.problem.detail if result.problem else None
        errors.print(f"job {place} {result.outcome}: {detail}{_fields(result)}", markup=False, soft_wrap=True)
    counts = ", ".join(f"{count} {outcome}" for outcome, count in _counts(results).items())
    errors.print(f"{len(results)} jobs: {counts}.", markup=False)


def _fields(result: BatchResult) -> str:
    found = (result.problem.errors if result.problem else None) or []
    said = [f"{each.get('pointer')}: {each.get('detail')}" for each in found if isinstance(each, dict)]
    return f" ({'; '.join(said)})" if said else ""


def _counts(results: Sequence[BatchResult]) -> dict[str, int]:
    return dict(Counter(result.outcome for result in results))


def _job(number: int, value: JsonValue, job_type: str | None) -> dict[str, JsonValue]:
    if job_type is not None:
        return {"type": job_type, "input": value}
    if not isinstance(value, dict) or not isinstance(value.get("type"), str):
        raise typer.BadParameter(
            f'job {number} is no job: one looks like {{"type": "video.transcode", "input": {{…}}}}. '
            "Give --type if FILE holds inputs.",
            param_hint=_HINT,
        )
    return value


def _read(file: str) -> Iterator[JsonValue]:
    content = _content(file)
    if content.lstrip()[:1] == b"[":
        try:
            found = orjson.loads(content)
        except orjson.JSONDecodeError:
            pass  # lines that are lists
        else:
            yield from found
            return
    for number, line in enumerate(content.splitlines(), start=1):
        if line.strip():
            try:
                yield orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise typer.BadParameter(f"line {number} is no valid JSON ({error}).", param_hint=_HINT) from error


def _content(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(file).expanduser().read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read ({error.strerror}).", param_hint=_HINT) from error
