"""The HorizontalPodAutoscaler's algorithm, and the policies built on it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import ceil
from random import Random

from bench.simulator.cluster import Cluster, Phase, UnreadableError

SYNC = 15.0
"""The controller manager's period; nobody can set it for one HPA."""
TOLERANCE = 0.1


@dataclass(frozen=True)
class Behavior:
    """What an HPA's `behavior` says."""

    up_pods: int = 4
    up_share: float = 1.0
    down_window: float = 300.0


class Hpa:
    """Sets replicas from a metric every 15 seconds."""

    def __init__(self, cluster: Cluster, behavior: Behavior, *, seed: int) -> None:
        self.cluster = cluster
        self.behavior = behavior
        self._recommended: deque[tuple[float, int]] = deque()
        self.first = Random(seed).uniform(0, SYNC)

    def sync(self, wanted: int) -> None:
        """Move towards what the metric asks for, within the behaviour's limits."""
        now, current = self.cluster.clock.now, self.cluster.replicas
        wanted = min(max(wanted, 1), self.cluster.most)
        self._recommended.append((now, wanted))
        while self._recommended[0][0] < now - self.behavior.down_window:
            self._recommended.popleft()
        stable = max(number for _, number in self._recommended)
        if wanted > current:
            fastest = max(current + self.behavior.up_pods, ceil(current * (1 + self.behavior.up_share)))
            self.cluster.scale(min(wanted, fastest))
        elif stable < current:
            self.cluster.scale(stable)


class Keda:
    """KEDA: an HPA on `metric / target`, and an operator that switches between none and one."""

    def __init__(
        self,
        name: str,
        *,
        target: float,
        polling: float = 30.0,
        cooldown: float = 300.0,
        behavior: Behavior = Behavior(),
        grace: float = 30.0,
        running_too: bool = False,
        seed: int = 0,
    ) -> None:
        self.name = name
        self.grace = grace
        self._target = target
        self._polling = polling
        self._cooldown = cooldown
        self._behavior = behavior
        self._running_too = running_too
        self._seed = seed
        self._active_at = 0.0

    def start(self, cluster: Cluster) -> None:
        """Begin to poll and to sync."""
        self._cluster = cluster
        self._hpa = Hpa(cluster, self._behavior, seed=self._seed)
        cluster.clock.every(SYNC, self._sync, first=self._hpa.first)
        cluster.clock.every(self._polling, self._poll, first=self._hpa.first * self._polling / SYNC)

    def _metric(self) -> int:
        return self._cluster.waiting() + (self._cluster.running() if self._running_too else 0)

    def _poll(self) -> None:
        try:
            metric = self._metric()
        except UnreadableError:
            return
        if metric > 0:
            self._active_at = self._cluster.clock.now
            if self._cluster.replicas == 0:
                self._cluster.scale(1)
        elif self._cluster.replicas and self._cluster.clock.now - self._active_at >= self._cooldown:
            self._cluster.scale(0)

    def _sync(self) -> None:
        current = self._cluster.replicas
        if not current:
            return
        try:
            metric = self._metric()
        except UnreadableError:
            return
        within = abs(metric / (self._target * current) - 1) <= TOLERANCE
        self._hpa.sync(current if within else ceil(metric / self._target))


class Cpu:
    """An HPA on CPU at 80 % of what the pods ask for: it sees work that runs, never work that waits."""

    name = "HPA on CPU"
    grace = 30.0
    target = 0.8

    def __init__(self, *, seed: int = 0) -> None:
        self._seed = seed
        self._used = 0.0

    def start(self, cluster: Cluster) -> None:
        """Begin with one pod: an HPA cannot go to none."""
        self._cluster = cluster
        self._hpa = Hpa(cluster, Behavior(), seed=self._seed)
        cluster.scale(1)
        cluster.clock.every(SYNC, self._sample, first=self._hpa.first)
        cluster.clock.every(SYNC, self._sync, first=self._hpa.first + SYNC / 2)

    def _sample(self) -> None:
        ready = self._cluster.in_phase(Phase.READY)
        busy = sum(len(pod.running) for pod in ready)
        self._used = busy / (len(ready) * self._cluster.spec.slots) if ready else self.target

    def _sync(self) -> None:
        ratio = self._used / self.target
        current = self._cluster.replicas
        self._hpa.sync(current if abs(ratio - 1) <= TOLERANCE else ceil(current * ratio))
