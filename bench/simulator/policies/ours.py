"""Heavylift: the very function the controller calls, with a drain before every scale-in."""

from __future__ import annotations

from bench.simulator.cluster import Cluster, Phase, Pod, UnreadableError
from heavylift_controller.scaling import (
    Memory,
    PoolSettings,
    PoolState,
    QueueLoad,
    QueueTarget,
    Running,
    Worker,
    decide,
)
from heavylift_controller.scaling import Phase as Seen

TICK = 1.0
WAKE = 0.1
"""From a job's arrival in an empty queue to the decision."""
DRAIN = 2.0
"""From telling a worker to take no more jobs to the certainty that it holds none."""


class Ours:
    """Decides every second, and at once when a queue wakes."""

    grace = 600.0

    def __init__(self, target_wait: float, *, name: str = "Heavylift") -> None:
        self.name = name
        self._target_wait = target_wait
        self._memory = Memory()
        self._woken = False
        self._settings = PoolSettings({})

    def start(self, cluster: Cluster) -> None:
        """Begin the ticks."""
        self._cluster = cluster
        self._settings = PoolSettings(
            queues={queue: QueueTarget(self._target_wait) for queue in cluster.queues},
            slots=cluster.spec.slots,
            most=cluster.most,
        )
        cluster.on_enqueue = self._wake
        cluster.clock.every(TICK, self._turn)

    def _wake(self) -> None:
        if not self._woken and self._cluster.waiting() == 1:
            self._woken = True
            self._cluster.clock.after(WAKE, self._turn)

    def _turn(self) -> None:
        self._woken = False
        if self._cluster.pods or self._cluster.jobs:
            decision = decide(self._state(), self._settings, self._memory)
            self._memory = decision.memory
            self._apply(decision.replicas)

    def _apply(self, replicas: int) -> None:
        cluster = self._cluster
        draining = sorted(cluster.in_phase(Phase.DRAINING), key=lambda pod: pod.since)
        leaving = max(0, cluster.replicas - replicas)
        for pod in draining[leaving:]:
            cluster.undrain(pod)
        for pod in self._victims()[: max(0, leaving - len(draining))]:
            cluster.drain(pod)
        cluster.remove(p for p in draining[:leaving] if not p.running and p.since <= cluster.clock.now - DRAIN)
        if replicas > cluster.replicas:
            cluster.scale(replicas)

    def _victims(self) -> list[Pod]:
        return [*self._cluster.in_phase(Phase.BOOTING), *self._cluster.idle()]

    def _state(self) -> PoolState:
        cluster = self._cluster
        try:
            cluster.check()
        except UnreadableError:
            return PoolState(cluster.clock.now, cluster.replicas, None, None, unread="redis")
        queues = {queue: self._load(queue) for queue in cluster.queues}
        workers = tuple(self._worker(pod) for pod in cluster.pods if pod.phase is not Phase.TERMINATING)
        return PoolState(cluster.clock.now, cluster.replicas, queues, workers)

    def _load(self, queue: str) -> QueueLoad:
        cluster = self._cluster
        jobs = cluster.waiting_in(queue)
        oldest = cluster.clock.now - jobs[0].arrival if jobs else 0.0
        return QueueLoad(len(jobs), oldest, cluster.arrived[queue], {}, {"job": dict(cluster.served[queue])})

    def _worker(self, pod: Pod) -> Worker:
        now = self._cluster.clock.now
        running = tuple(Running(job.queue, "job", now - began) for job, began in pod.running.items())
        booted_in = None if pod.ready_at is None else pod.ready_at - pod.created
        return Worker(str(pod.number), _SEEN[pod.phase], now - pod.created, running, booted_in)


_SEEN = {
    Phase.BOOTING: Seen.BOOTING,
    Phase.READY: Seen.READY,
    Phase.DRAINING: Seen.DRAINING,
    Phase.LOST: Seen.UNKNOWN,
}
