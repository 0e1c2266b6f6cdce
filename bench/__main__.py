"""Measure Heavylift beside other task queues: `make bench`, or `make bench ROWS=submit,drain ROUNDS=5` for a part.

Each row's result is written to docs/benchmarks as soon as it is there, in the end the page docs/benchmarks.md.
"""

from __future__ import annotations

import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path

from bench import page
from bench.machine import facts
from bench.options import Options
from bench.processes import BenchError, LeftOut
from bench.results import Result

ROWS = ("submit", "batch", "drain", "dispatch", "memory", "start", "idle", "upload", "images", "burst", "scaling")
"""Modules of bench.rows, in the order they are run and shown."""


def main() -> int:
    """Return the exit code: 1 when a row could not be measured. A goal that is not reached is a result."""
    if len(sys.argv) > 1:  # all of it takes 20 minutes: not for a mistyped option
        print(f"{__doc__}\nRows: {', '.join(ROWS)}")
        return 0 if sys.argv[1] in {"-h", "--help"} else 2
    failed = []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        options = Options.from_environment(ROWS, Path(folder))
        for row in options.rows:
            began, before = time.monotonic(), facts()
            try:
                result = import_module(f"bench.rows.{row}").measure(options)
            except LeftOut as reason:
                print(f"{row}: left out: {reason}", flush=True)
                continue
            except BenchError as error:
                print(f"{row}: not measured: {error}", file=sys.stderr, flush=True)
                failed.append(row)
                continue
            result.save(before, options.command)
            show(result, seconds=time.monotonic() - began)
        page.write(ROWS)
    print(f"Written to {page.PAGE.relative_to(Path.cwd())}" + (f"; not measured: {failed}" if failed else ""))
    return 1 if failed else 0


def show(result: Result, *, seconds: float) -> None:
    """Print a row's table and goals."""
    print(f"\n{result.title} ({seconds:.0f} s)\n")
    print(page.table(result.columns, result.lines))
    for goal in result.goals:
        print(f"{goal.what}: {goal.found}, goal {goal.wanted}: {page._word(vars(goal))}")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
