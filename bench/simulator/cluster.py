"""A pool of workers on a cluster: queues, pods that boot, run jobs and end, and the ReplicaSet that makes and deletes.

The boot times are the ones measured on kind: pods that boot together on a node slow each other down.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum, auto
from math import log2
from random import Random

from bench.simulator.clock import Clock
from bench.simulator.workload import Job, Workload
from heavylift_controller.scaling.service_times import bucket

LEASE_SECONDS = 20.0
"""From a worker's death to its jobs' return to the queue."""
EVICTION_SECONDS = 345.0
"""From a node's death to its pods' deletion: 45 s until it is noticed, 300 s of toleration."""


@dataclass(frozen=True)
class ClusterSpec:
    """What a cluster is like."""

    slots: int = 4
    boot_alone: float = 1.9
    boot_each: float = 1.086
    """Seconds more for each pod that boots on the same node beside it: 9.5 s for eight."""
    boot_spread: float = 0.15
    """A boot takes up to this share more or less."""
    stop: float = 1.0
    """From SIGTERM to the end of an idle pod."""
    nodes: int = 10


class Phase(Enum):
    """How far a pod is."""

    BOOTING = auto()
    READY = auto()
    DRAINING = auto()
    TERMINATING = auto()
    LOST = auto()
    GONE = auto()


_ALIVE = (Phase.BOOTING, Phase.DRAINING)


@dataclass(slots=True)
class NodeBoots:
    """The boots of one node: their common progress, as of when, and which of the appointments with it stands."""

    progress: float = 0.0
    at: float = 0.0
    turn: int = 0


@dataclass(slots=True, eq=False)
class Pod:
    """One worker."""

    number: int
    node: int
    created: float
    due: float
    """At what progress of the boots it is ready."""
    phase: Phase = Phase.BOOTING
    since: float = 0.0
    """When it last changed its phase or ended a job."""
    ready_at: float | None = None
    running: dict[Job, float] = field(default_factory=dict)
    term: int = 0
    """Raised when its free slots are withdrawn, so that older offers of them are void."""


class UnreadableError(Exception):
    """Redis cannot be reached."""


class Cluster:
    """Runs a workload's jobs on as many pods as a policy asks for."""

    def __init__(self, clock: Clock, spec: ClusterSpec, workload: Workload, *, grace: float, seed: int) -> None:
        self.clock = clock
        self.spec = spec
        self.most = workload.most
        self.queues = workload.queues
        self.replicas = 0
        self.pods: list[Pod] = []
        self.jobs: list[Job] = []
        self.arrived = dict.fromkeys(self.queues, 0)
        self.served: dict[str, dict[int, int]] = {queue: {} for queue in self.queues}
        self.interrupted = 0
        self.lost_with_nodes = 0
        self.changes: list[tuple[float, int]] = []
        self.pod_counts: list[tuple[float, int]] = [(0.0, 0)]
        self.pod_seconds = 0.0
        self.unfinished = len(workload.jobs)
        self.on_enqueue: Callable[[], None] = lambda: None
        self._grace = grace
        self._random = Random(seed)
        self._waiting: dict[str, deque[Job]] = {queue: deque() for queue in self.queues}
        self._offers: deque[tuple[Pod, int]] = deque()
        self._redis_up = True
        self._created = 0
        self._refused: list[Job] = []
        self._boots = [NodeBoots() for _ in range(spec.nodes)]
        self._load(workload)

    def _load(self, workload: Workload) -> None:
        for arrival, service, queue in workload.jobs:
            job = Job(arrival, service, queue)
            self.jobs.append(job)
            self.clock.at(arrival, lambda job=job: self._submit(job))
        for outage in workload.outages:
            self.clock.at(outage.begins, lambda: self._set_redis(up=False))
            self.clock.at(outage.ends, lambda: self._set_redis(up=True))
        for loss in workload.node_losses:
            self.clock.at(loss.at, self._lose_node)

    # What a policy may read

    def check(self) -> None:
        """Raise UnreadableError while Redis cannot be read."""
        if not self._redis_up:
            raise UnreadableError

    def waiting(self) -> int:
        """Return how many jobs wait."""
        self.check()
        return sum(map(len, self._waiting.values()))

    def waiting_in(self, queue: str) -> deque[Job]:
        """Return a queue's jobs, the oldest first."""
        self.check()
        return self._waiting[queue]

    def running(self) -> int:
        """Return how many jobs run."""
        self.check()
        return sum(len(pod.running) for pod in self.pods if pod.phase is not Phase.LOST)

    def in_phase(self, *phases: Phase) -> list[Pod]:
        """Return the pods in these phases."""
        return [pod for pod in self.pods if pod.phase in phases]

    def idle(self) -> list[Pod]:
        """Return the pods that take jobs and have none, the longest idle first."""
        return sorted((p for p in self.pods if p.phase is Phase.READY and not p.running), key=lambda pod: pod.since)

    # What a policy may do

    def scale(self, replicas: int) -> None:
        """Set the Deployment's replicas: the ReplicaSet makes pods, or deletes those it ranks first, busy or not."""
        self._note(replicas)
        there = [pod for pod in self.pods if pod.phase is not Phase.TERMINATING]
        for _ in range(replicas - len(there)):
            self._create()
        excess = len(there) - replicas
        for pod in sorted(there, key=self._rank)[: max(0, excess)]:
            self._terminate(pod)

    def remove(self, victims: Iterable[Pod]) -> None:
        """Lower the replicas by the victims and delete exactly these."""
        victims = list(victims)
        if victims:
            self._note(self.replicas - len(victims))
        for pod in victims:
            self._terminate(pod)

    def drain(self, pod: Pod) -> None:
        """Have a worker take no more jobs; one that boots does so when it is ready."""
        pod.phase, pod.since = Phase.DRAINING, self.clock.now
        pod.term += 1

    def undrain(self, pod: Pod) -> None:
        """Have it take jobs again."""
        pod.since = self.clock.now
        if pod.ready_at is None:
            pod.phase = Phase.BOOTING
        else:
            pod.phase = Phase.READY
            self._offer(pod, self.spec.slots - len(pod.running))

    # Jobs

    def _submit(self, job: Job) -> None:
        if not self._redis_up:
            self._refused.append(job)
            return
        job.arrival = self.clock.now
        self.arrived[job.queue] += 1
        self._waiting[job.queue].append(job)
        self._match()
        self.on_enqueue()

    def _match(self) -> None:
        """Give waiting jobs to free slots: the oldest job to the slot that has been free the longest."""
        while self._redis_up and self._offers:
            queue = min(
                (jobs for jobs in self._waiting.values() if jobs), key=lambda jobs: jobs[0].arrival, default=None
            )
            if queue is None:
                return
            pod, term = self._offers.popleft()
            if pod.phase is Phase.READY and pod.term == term:
                self._start(queue.popleft(), pod)

    def _start(self, job: Job, pod: Pod) -> None:
        now = self.clock.now
        job.started = now if job.started is None else job.started
        pod.running[job] = now
        self.clock.after(job.service, lambda: self._end(job, pod, now))

    def _end(self, job: Job, pod: Pod, began: float) -> None:
        if pod.running.get(job) != began:
            return
        del pod.running[job]
        pod.since = self.clock.now
        self.unfinished -= 1
        ended = self.served[job.queue]
        key = bucket(job.service)
        ended[key] = ended.get(key, 0) + 1
        if pod.phase is Phase.TERMINATING and not pod.running:
            self.clock.after(self.spec.stop, lambda: self._delete(pod))
        elif pod.phase is Phase.READY:
            self._offer(pod, 1)

    def _offer(self, pod: Pod, slots: int) -> None:
        self._offers.extend([(pod, pod.term)] * slots)
        self._match()

    # Pods

    def _note(self, replicas: int) -> None:
        if replicas != self.replicas:
            self.changes.append((self.clock.now, replicas - self.replicas))
        self.replicas = replicas

    def _create(self) -> None:
        load = [0] * self.spec.nodes
        for pod in self.pods:
            load[pod.node] += 1
        node = load.index(min(load))
        self._advance(node)
        spread = self._random.uniform(1 - self.spec.boot_spread, 1 + self.spec.boot_spread)
        self._created += 1
        pod = Pod(self._created, node, self.clock.now, self._boots[node].progress + spread, since=self.clock.now)
        self.pods.append(pod)
        self.pod_counts.append((self.clock.now, len(self.pods)))
        self._await_boot(node)

    def _booting(self, node: int) -> list[Pod]:
        return [p for p in self.pods if p.node == node and p.ready_at is None and p.phase in _ALIVE]

    def _advance(self, node: int) -> None:
        """Move on the progress of a node's boots, at a pace that falls with their number; 1 is a whole boot."""
        boots, booting = self._boots[node], len(self._booting(node))
        if booting:
            boots.progress += (self.clock.now - boots.at) / self._boot_seconds(booting)
        boots.at = self.clock.now

    def _boot_seconds(self, together: int) -> float:
        return self.spec.boot_alone + self.spec.boot_each * (together - 1)

    def _await_boot(self, node: int) -> None:
        """Look again when the node's next boot ends, should nothing change its pace before."""
        boots, booting = self._boots[node], self._booting(node)
        boots.turn += 1
        if booting:
            left = min(pod.due for pod in booting) - boots.progress
            turn = boots.turn
            self.clock.after(left * self._boot_seconds(len(booting)), lambda: self._boot(node, turn))

    def _boot(self, node: int, turn: int) -> None:
        if turn != self._boots[node].turn:
            return
        self._advance(node)
        for pod in self._booting(node):
            if pod.due <= self._boots[node].progress + 1e-9:
                pod.ready_at = pod.since = self.clock.now
                if pod.phase is Phase.BOOTING:
                    pod.phase = Phase.READY
                    self._offer(pod, self.spec.slots)
        self._await_boot(node)

    def _rank(self, pod: Pod) -> tuple[int, float, float]:
        """Return the ReplicaSet's order of deletion: not ready first, then the newer, by the octave of its age."""
        if pod.ready_at is None or pod.phase is Phase.LOST:
            return 0, 0.0, self._random.random()
        return 1, int(log2(max(self.clock.now - pod.ready_at, 1.0))), self._random.random()

    def _terminate(self, pod: Pod) -> None:
        self._advance(pod.node)
        pod.phase = Phase.TERMINATING
        pod.term += 1
        if pod.running:
            self.clock.after(self._grace, lambda: self._kill(pod))
        else:
            self.clock.after(self.spec.stop, lambda: self._delete(pod))
        self._await_boot(pod.node)

    def _kill(self, pod: Pod) -> None:
        if pod.phase is Phase.TERMINATING and pod.running:
            self.interrupted += len(pod.running)
            self._return(pod)
            self._delete(pod)

    def _return(self, pod: Pod) -> None:
        jobs, pod.running = list(pod.running), {}
        for job in reversed(jobs):
            self._waiting[job.queue].appendleft(job)
        self._match()
        self.on_enqueue()

    def _delete(self, pod: Pod) -> None:
        if pod.phase is not Phase.GONE:
            pod.phase = Phase.GONE
            self.pods.remove(pod)
            self.pod_seconds += self.clock.now - pod.created
            self.pod_counts.append((self.clock.now, len(self.pods)))

    def close(self) -> None:
        """Count the pods that are left."""
        for pod in list(self.pods):
            self._delete(pod)

    # Faults

    def _set_redis(self, *, up: bool) -> None:
        self._redis_up = up
        if up:
            refused, self._refused = self._refused, []
            for job in refused:
                self._submit(job)
            self._match()

    def _lose_node(self) -> None:
        load = [sum(pod.node == node for pod in self.pods) for node in range(self.spec.nodes)]
        node = load.index(max(load))
        self._advance(node)
        for pod in [pod for pod in self.pods if pod.node == node]:
            self.lost_with_nodes += len(pod.running)
            held = Pod(pod.number, pod.node, pod.created, pod.due, running=pod.running)
            pod.phase, pod.running = Phase.LOST, {}
            pod.term += 1
            self.clock.after(LEASE_SECONDS, lambda held=held: self._return(held))
            self.clock.after(EVICTION_SECONDS, lambda pod=pod: self._evict(pod))
        self._await_boot(node)

    def _evict(self, pod: Pod) -> None:
        if pod.phase is Phase.LOST:
            self._delete(pod)
            self.scale(self.replicas)
