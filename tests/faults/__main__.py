"""`python -m tests.faults SCENARIO [JOBS] [SECONDS] [LEASE] [OUTAGE]`: one scenario by hand."""

from __future__ import annotations

import dataclasses
import sys
import tempfile
from pathlib import Path

from tests.faults import perform as performing
from tests.faults.report import table
from tests.faults.scenarios import BY_NAME, Pace


def main() -> None:
    name, jobs, seconds, lease, outage, *side = [*sys.argv[1:], *("400", "15", "3", "5")[len(sys.argv) - 2 :]]
    kind = performing.SIDES[side[0] if side else "ours"]
    form = dataclasses.replace(
        performing.LONG, jobs=int(jobs), pace=Pace(float(seconds), float(outage)), lease=float(lease)
    )
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    report = performing.perform(BY_NAME[name], form, folder, kind)
    print(table([report]))
    print(report, folder)


if __name__ == "__main__":
    main()
