"""Outcomes as tables, goals and charts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.page import table
from bench.results import Goal, Line
from bench.simulator.run import Outcome
from bench.simulator.workload import Workload

COLUMNS = (
    "",
    "wait p50, s",
    "p95",
    "p99",
    "in time",
    "pod-seconds",
    "/ ARC",
    "used",
    "peak",
    "interrupted",
    "changes",
    "turns",
)
SHORT, LONG = 30.0, 120.0
"""The targets that the goals are set for, in seconds."""


@dataclass(frozen=True)
class Comparison:
    """All policies on one workload with one target: ours first, ARC's rule second."""

    workload: Workload
    target: float
    outcomes: Sequence[Outcome]

    @property
    def ours(self) -> Outcome:
        """Heavylift."""
        return self.outcomes[0]

    @property
    def arc(self) -> Outcome:
        """ARC's rule."""
        return self.outcomes[1]

    @property
    def cost(self) -> float:
        """Our pod-seconds by ARC's."""
        return self.ours.pod_seconds / self.arc.pod_seconds

    def text(self) -> str:
        """Return the comparison as a Markdown table."""
        return table(COLUMNS, [self._line(outcome) for outcome in self.outcomes])

    def _line(self, outcome: Outcome) -> list[str]:
        lost = f" ({outcome.unfinished} jobs never end)" if outcome.unfinished else ""
        return [
            outcome.policy,
            f"{outcome.p50:.1f}",
            f"{outcome.p95:.1f}",
            f"{outcome.p99:.1f}",
            f"{100 * outcome.within(self.target):.2f} %",
            f"{outcome.pod_seconds:,.0f}",
            f"{outcome.pod_seconds / self.arc.pod_seconds:.2f}",
            f"{100 * outcome.used:.0f} %",
            str(outcome.peak),
            f"{outcome.interrupted}{lost}",
            str(outcome.actions),
            str(outcome.flips),
        ]


def goals(comparisons: Sequence[Comparison]) -> list[Goal]:
    """Return the goals that these comparisons can show, each for its worst workload."""
    found = []
    for target in dict.fromkeys(each.target for each in comparisons):
        found += _goals_at(target, [each for each in comparisons if each.target == target])
    interrupted = sum(each.ours.interrupted for each in comparisons)
    return [*found, Goal("jobs interrupted by scaling in", "0", str(interrupted), interrupted == 0)]


def _goals_at(target: float, comparisons: Sequence[Comparison]) -> list[Goal]:
    late = min(comparisons, key=lambda each: each.ours.within(target))
    share = late.ours.within(target)
    found = [_goal(f"in time, {target:g} s", "≥ 99 %", late, f"{100 * share:.2f} %", share >= 0.99)]
    bursty = [each for each in comparisons if "bursty" in each.workload.traits]
    if target >= LONG and bursty:
        found += [_cost_of_bursts(each) for each in bursty]
    else:
        worst = max(comparisons, key=lambda each: each.cost)
        found.append(
            _goal(f"pod-seconds / ARC, {target:g} s", "≤ 1.15", worst, f"{worst.cost:.2f}", worst.cost <= 1.15)
        )
    if steady := [each for each in comparisons if "steady" in each.workload.traits]:
        busiest = max(steady, key=lambda each: each.ours.actions / each.arc.actions)
        share = busiest.ours.actions / busiest.arc.actions
        found.append(_goal(f"changes / ARC, steady, {target:g} s", "≤ 0.25", busiest, f"{share:.2f}", share <= 0.25))
    return found


def _cost_of_bursts(comparison: Comparison) -> Goal:
    found = f"{comparison.cost:.2f}, the jobs alone are {comparison.arc.used:.2f}"
    return _goal("pod-seconds / ARC on bursts, 120 s", "≤ 0.6", comparison, found, comparison.cost <= 0.6)


def _goal(what: str, wanted: str, worst: Comparison, found: str, reached: bool) -> Goal:
    return Goal(what, wanted, f"{found} ({worst.workload.name})", reached)


def chart(comparison: Comparison) -> Line:
    """Return the pods over time, of every policy, as a chart."""
    name = f"{comparison.workload.name}-{comparison.target:g}".replace(" ", "-")
    title = f"Pods that cost: {comparison.workload.name}, target {comparison.target:g} s"
    return Line(name, title, "pods", {outcome.policy: _steps(outcome.pods) for outcome in comparison.outcomes})


def _steps(points: Sequence[tuple[float, int]]) -> list[tuple[float, float]]:
    """Return the points of a staircase, a few hundred at most."""
    steps: list[tuple[float, float]] = []
    for at, pods in points:
        if steps:
            steps.append((at, steps[-1][1]))
        steps.append((at, float(pods)))
    return steps
