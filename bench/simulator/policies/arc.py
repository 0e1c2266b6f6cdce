"""The rule of GitHub's Actions Runner Controller: a slot for every assigned job, at once; idle runners go at once."""

from __future__ import annotations

from math import ceil

from bench.simulator.cluster import Cluster, Phase, UnreadableError

TICK = 1.0


class Arc:
    """`min(minRunners + assigned, maxRunners)`; only runners without a job are deleted, those not yet ready first."""

    name = "ARC's rule"
    grace = 600.0

    def start(self, cluster: Cluster) -> None:
        """Look every second; its listener is pushed to, so this is its best case."""
        self._cluster = cluster
        cluster.clock.every(TICK, self._turn)

    def _turn(self) -> None:
        cluster = self._cluster
        try:
            assigned = cluster.waiting() + cluster.running()
        except UnreadableError:
            return
        target = min(ceil(assigned / cluster.spec.slots), cluster.most)
        if target > cluster.replicas:
            cluster.scale(target)
        elif target < cluster.replicas:
            spare = [*cluster.in_phase(Phase.BOOTING), *cluster.idle()]
            cluster.remove(spare[: cluster.replicas - target])
