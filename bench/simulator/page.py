"""docs/scaling-simulation.md, written from the standard set."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

import orjson

from bench.environments import BENCH, python_of
from bench.page import table
from bench.results import Goal
from bench.simulator.report import Comparison, chart, goals

PAGE = BENCH.parent / "docs" / "scaling-simulation.md"
CHARTS = PAGE.with_suffix("")
DRAWN = ("step", "flash", "bimodal")

HEAD = """\
# Scaling, simulated

Written by `make simulate`: the function that the controller calls (`heavylift_controller.scaling.decide`) beside other
autoscalers' rules, on the same simulated cluster with the same arrivals. Nothing on this page was measured on a
cluster; the boot times were (1.9 s alone, 9.5 s for eight on a node), and the rules' periods are those of their
projects. The same seed gives the same page. `make simulate TRACE=arrivals.csv` runs a file instead, with
`arrival_seconds,service_seconds[,queue]` a line; `WAIT=30,120 SLOTS=4 MAX=60 BOOT=60 SEED=2` change the targets, a
worker's slots, the most workers, the boot's seconds and the seed.

*In time* is the share of jobs that began within the target. *Pod-seconds* run from a pod's creation to its end,
terminating included; *used* is the share of them in which slots ran jobs: no rule can reach more than 100 %.
*Interrupted* are jobs that scaling in killed, and which ran again. *Changes* are changes of the replicas, *turns*
those in the other direction than the one before. ARC's rule is a slot for each job and idle runners deleted at once,
given its best case: no delay and no drain, while ours takes 2 s to drain a worker. All begin knowing nothing.
"""


def write(comparisons: Sequence[Comparison]) -> None:
    """Write the page and draw its charts."""
    CHARTS.mkdir(exist_ok=True)
    drawn = [each for each in comparisons if each.workload.name in DRAWN and each.target == comparisons[0].target]
    charts = orjson.dumps([chart(each) for each in drawn])
    subprocess.run([python_of("plot"), str(BENCH / "charts.py"), str(CHARTS)], input=charts, check=True, timeout=120)
    parts = [HEAD, goal_table(goals(comparisons))]
    for target in dict.fromkeys(each.target for each in comparisons):
        parts.append(f"## To begin within {target:g} s\n")
        parts += [_section(each, pictured=each in drawn) for each in comparisons if each.target == target]
    PAGE.write_text("\n".join(parts))


def goal_table(found: Sequence[Goal]) -> str:
    """Return the goals as a Markdown table."""
    words = {True: "reached", False: "**not reached**", None: "not measured"}
    lines = [[goal.what, goal.wanted, goal.found, words[goal.reached]] for goal in found]
    return table(["figure, and its worst workload", "goal", "found", ""], lines)


def _section(comparison: Comparison, *, pictured: bool) -> str:
    picture = chart(comparison)
    shown = f"\n![{picture.title}]({CHARTS.name}/{picture.name}.svg)\n" if pictured else ""
    return f"### {comparison.workload.name}\n\n{comparison.workload.about}\n\n{comparison.text()}{shown}"
