"""One run: a workload under a policy."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from bench.simulator.clock import Clock
from bench.simulator.cluster import Cluster, ClusterSpec
from bench.simulator.workload import Workload

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
    within: float
    """The share of jobs that began within the target."""
    pod_seconds: float
    peak: int
    interrupted: int
    actions: int
    flips: int
    pods: list[tuple[float, int]]
    waits: list[tuple[float, float]]


def run(workload: Workload, policy: Policy, spec: ClusterSpec, *, target_wait: float, seed: int = 0) -> Outcome:
    """Run a workload to its end, and then for a while."""
    clock = Clock()
    cluster = Cluster(clock, spec, workload, grace=policy.grace, seed=seed)
    policy.start(cluster)
    ends = workload.duration + TAIL
    clock.run(until=lambda: clock.now >= ends and not cluster.unfinished)
    cluster.close()
    waits = sorted(job.started - job.arrival for job in cluster.jobs if job.started is not None)
    signs = [change > 0 for _, change in cluster.changes]
    return Outcome(
        policy.name,
        workload.name,
        *(percentile(waits, share) for share in (0.5, 0.95, 0.99)),
        sum(wait <= target_wait for wait in waits) / max(1, len(waits)),
        cluster.pod_seconds,
        max(count for _, count in cluster.pod_counts),
        cluster.interrupted,
        len(signs),
        sum(a != b for a, b in pairwise(signs)),
        cluster.pod_counts,
        [(job.arrival, job.started - job.arrival) for job in cluster.jobs if job.started is not None],
    )


def percentile(values: list[float], share: float) -> float:
    """Return the value at a share of the sorted values."""
    return values[min(len(values) - 1, int(share * len(values)))] if values else 0.0
