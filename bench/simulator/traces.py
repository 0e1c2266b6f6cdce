"""A workload from a file: `arrival_seconds,service_seconds[,queue]` a line; these words may be the first line."""

from __future__ import annotations

import csv
from math import isfinite
from pathlib import Path

from bench.simulator.workload import Arrival, Workload

COLUMNS = ("arrival_seconds", "service_seconds", "queue")


class TraceError(ValueError):
    """A file that is not a trace; the message names the line and what it should hold."""


def read(path: Path, *, most: int) -> Workload:
    """Return the file's workload, sorted by arrival. Raises TraceError."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [(number, row) for number, row in enumerate(csv.reader(file), start=1) if any(map(str.strip, row))]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TraceError(f"{path}: cannot be read: {error}") from error
    if rows and rows[0][1][0].strip() == COLUMNS[0]:
        _check_header(path, *rows.pop(0))
    if not rows:
        raise TraceError(f"{path}: holds no jobs; a line is {','.join(COLUMNS[:2])}[,{COLUMNS[2]}]")
    return Workload(path.stem, sorted(_job(path, number, row) for number, row in rows), most=most)


def _check_header(path: Path, number: int, row: list[str]) -> None:
    names = tuple(name.strip() for name in row)
    if names not in (COLUMNS, COLUMNS[:2]):
        raise TraceError(f"{path}:{number}: the columns are {','.join(names)}; give {','.join(COLUMNS[:2])}[,queue]")


def _job(path: Path, number: int, row: list[str]) -> Arrival:
    if len(row) not in (2, 3):
        raise TraceError(f"{path}:{number}: {len(row)} values; give {','.join(COLUMNS[:2])}[,{COLUMNS[2]}]")
    arrival, service = (_seconds(path, number, *each) for each in zip(COLUMNS, row[:2], strict=False))
    queue = row[2].strip() if len(row) == len(COLUMNS) else ""
    return arrival, service, queue or "default"


def _seconds(path: Path, number: int, column: str, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        raise TraceError(f"{path}:{number}: {column} is {text.strip()!r}; give seconds, as in 12.5") from None
    if not isfinite(seconds) or seconds < 0:
        raise TraceError(f"{path}:{number}: {column} is {text.strip()}; give a number of seconds from 0")
    return seconds
