"""The page that `make soak` writes: what was shown on a cluster, with its figures."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import UTC, datetime

HEAD = """# Scaling on a cluster, shown

Written by `make soak` on {day}: {cores} cores shared with other work, Linux, a kind cluster of one node.
`SCALE_INS=` says how many scale-ins it goes on for, 500 if nothing does; 50 take about seven minutes here. `make e2e`
shows the same with 50. The tests are in [tests/e2e/scaling](../tests/e2e/scaling). What they count is seen from
outside, through watches of Deployments, pods and the Lease, in Redis, and in a second Redis in which jobs write down
their own runs. The controller is asked nothing.
"""


class Proof:
    """Sections of a page, in the order they came."""

    def __init__(self) -> None:
        self._sections: list[str] = []

    def add(self, title: str, text: str, rows: Iterable[tuple[str, str]]) -> None:
        """Add a table under a title, and print it."""
        table = "\n".join(["| what | figure |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows)])
        self._sections.append(f"## {title}\n\n{text}\n\n{table}\n")
        print(f"\n{self._sections[-1]}")

    def page(self) -> str:
        head = HEAD.format(day=datetime.now(UTC).date(), cores=os.cpu_count())
        return "\n".join([head, *self._sections])
