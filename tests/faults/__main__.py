"""`python -m tests.faults sigkill-workers --jobs 400`: one scenario by hand, as small as one likes."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from tests.faults.perform import Form, perform
from tests.faults.report import table
from tests.faults.scenarios import BY_NAME, Pace
from tests.faults.stack import Stack
from tests.faults.stock_stack import StockStack


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("scenario", choices=sorted(BY_NAME))
    parser.add_argument("--jobs", type=int, default=400)
    parser.add_argument("--submit", type=float, default=15.0, help="seconds it takes to submit them")
    parser.add_argument("--lease", type=float, default=3.0, help="seconds")
    parser.add_argument("--outage", type=float, default=5.0, help="seconds; longer than the lease")
    parser.add_argument("--stock", action="store_true", help="stock Celery instead of Heavylift")
    given = parser.parse_args()
    form = Form(jobs=given.jobs, pace=Pace(given.submit, given.outage, given.outage), lease=given.lease, await_end=90)
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    report = perform(BY_NAME[given.scenario], form, folder, StockStack if given.stock else Stack)
    print(table([report]), report, folder, sep="\n")


if __name__ == "__main__":
    main()
