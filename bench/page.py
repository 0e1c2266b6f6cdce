"""docs/benchmarks.md, written from the rows' results."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from bench.environments import BENCH, python_of
from bench.results import FOLDER

PAGE = FOLDER.parent / "benchmarks.md"

HEAD = """\
# Benchmarks

Written by `make bench`, which measures all rows again on your machine (`make bench ROWS=drain,start ROUNDS=5` some of
them). Peers run beside Heavylift, in the same run, each with its documented most reliable settings, in environments
of their own. Rounds are interleaved; a figure is the median of all rounds with their [least-greatest], a ratio is taken
round by round. Every round counts what was accepted, run and stored: Heavylift's fails unless that is exact.
Only ratios within one table mean something: the same code is a third slower or faster on other machines and days.
"""


def write(order: Sequence[str]) -> None:
    """Write the page and draw the charts of every row there is a result of."""
    found = [path for row in order if (path := FOLDER / f"{row}.json").exists()]
    results = [orjson.loads(path.read_bytes()) for path in found]
    charts = [chart for result in results for chart in result["charts"]]
    subprocess.run(
        [python_of("plot"), str(BENCH / "charts.py"), str(FOLDER)], input=orjson.dumps(charts), check=True, timeout=120
    )
    goals = [
        [f"[{result['title']}](#{_anchor(result['title'])})", goal["what"], goal["wanted"], goal["found"], _word(goal)]
        for result in results
        for goal in result["goals"]
    ]
    parts = [HEAD, table(["row", "figure", "goal", "found", ""], goals), *map(_section, results)]
    PAGE.write_text("\n".join(parts))


def table(columns: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    rows = [columns, ["---"] * len(columns), *lines]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _section(result: dict[str, Any]) -> str:
    facts = result["facts"]
    charts = "".join(f"![{chart['title']}](benchmarks/{chart['name']}.svg)\n\n" for chart in result["charts"])
    return (
        f"## {result['title']}\n\n{result['how']}\n\n{table(result['columns'], result['lines'])}\n{charts}"
        f"Measured {facts['when']} at {facts['commit']} with `{result['command']}`, load {facts['load']}.\n"
        f"Machine: {facts['machine']}. {facts['software']}. Peers: {facts['peers']}.\n"
    )


def _word(goal: dict[str, Any]) -> str:
    return {True: "reached", False: "**not reached**", None: "not measured"}[goal["reached"]]


def _anchor(title: str) -> str:
    return "".join(c for c in title.lower().replace(" ", "-") if c.isalnum() or c == "-")
