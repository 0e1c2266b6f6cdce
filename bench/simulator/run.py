"""One run: a workload under a policy."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from bench.simulator.clock import Clock
from bench.simulator.cluster import Cluster, ClusterSpec
from bench.simulator.workload import Workload

LONGEST = 4 * 3600.0
"""Seconds after the last arrival at which a run ends, done or not: a policy may kill long jobs for ever."""
TAIL = 600.0
"""Seconds watched after the last job has arrived: what a policy keeps running then is paid, too."""


class Policy(Protocol):
    """What scales a cluster."""

    name: str
    grace: float

    def start(self, cluster: Cluster) -> None:
        """Ask the cluster's clock to call it."""


@dataclass(frozen=True)
class Outcome:
    """What a run has shown. Times are seconds."""

    policy: str
    workload: str
    p50: float
    p95: float
    p99: float
    pod_seconds: float
    used: float
    """The share of the slots' time that jobs ran in."""
    peak: int
    interrupted: int
    unfinished: int
    actions: int
    flips: int
    pods: list[tuple[float, int]]
    waits: list[float]
    """All jobs' waits, sorted."""

    def within(self, target: float) -> float:
        """Return the share of jobs that began within a target."""
        return bisect_right(self.waits, target) / max(1, len(self.waits))


def run(workload: Workload, policy: Policy, spec: ClusterSpec, *, seed: int = 0) -> Outcome:
    """Run a workload to its end, and then for a while."""
    clock = Clock()
    cluster = Cluster(clock, spec, workload, grace=policy.grace, seed=seed)
    policy.start(cluster)
    ends = workload.duration + TAIL
    clock.run(until=lambda: clock.now >= ends and (not cluster.unfinished or clock.now >= ends + LONGEST))
    cluster.close()
    waits = sorted((clock.now if job.started is None else job.started) - job.arrival for job in cluster.jobs)
    signs = [change > 0 for _, change in cluster.changes]
    return Outcome(
        policy.name,
        workload.name,
        *(percentile(waits, share) for share in (0.5, 0.95, 0.99)),
        cluster.pod_seconds,
        sum(job.service for job in cluster.jobs) / spec.slots / max(cluster.pod_seconds, 1e-9),
        max(count for _, count in cluster.pod_counts),
        cluster.interrupted,
        cluster.unfinished,
        len(signs),
        sum(a != b for a, b in pairwise(signs)),
        cluster.pod_counts,
        waits,
    )


def percentile(values: list[float], share: float) -> float:
    """Return the value at a share of the sorted values."""
    return values[min(len(values) - 1, int(share * len(values)))] if values else 0.0
