"""A look at a pool: what the platform sees of its pods, joined with what Redis knows of their workers by name.

Who holds jobs is told by the store, which has given them out, and not by the worker. What neither can tell is unknown,
and unknown is never taken for idle.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from heavylift.operations import WorkerReport
from heavylift_controller.scaler.drain import Member, Seen
from heavylift_controller.scaler.platform import Pod, Sight, Stage
from heavylift_controller.scaler.pools import Pool
from heavylift_controller.scaler.reading import Reading
from heavylift_controller.scaling import Phase, PoolState, QueueLoad, Running, Worker

PLAIN = {
    Stage.UNSCHEDULABLE: Phase.UNSCHEDULABLE,
    Stage.FAILING: Phase.FAILING,
    Stage.PENDING: Phase.BOOTING,
}
"""What a pod's stage says alone."""
NEVER_RAN = (Stage.PENDING, Stage.UNSCHEDULABLE)
SILENT = 30.0
"""Seconds without a report after which it is not known what a worker does: it reports every ten."""
LIVELY = 15.0
"""Seconds after its last report within which a worker is known to run, if it has reported before."""


@dataclass(frozen=True, slots=True)
class Beat:
    """A worker's latest report, when it was first seen, and whether the same worker had reported before."""

    boot: str
    count: int
    at: float
    again: bool = False


class Watch:
    """What only many readings tell: how long a report has stood still, and a worker has had no job."""

    def __init__(self) -> None:
        self._beats: dict[str, Beat] = {}
        self._idle_since: dict[str, float] = {}

    def note(self, reading: Reading) -> None:
        """Take in what was read."""
        beats = {name: self._beat(name, report, reading.at) for name, report in reading.reports.items()}
        busy = {job.worker for scene in reading.scenes.values() for job in scene.running}
        self._beats = beats
        self._idle_since = {name: self._idle_since.get(name, reading.at) for name in beats if name not in busy}

    def silent(self, name: str, at: float) -> float:
        """Return for how many seconds a worker's report has stood still."""
        known = self._beats.get(name)
        return at - known.at if known else 0.0

    def lively(self, name: str, at: float) -> bool:
        """Return whether a worker goes on reporting: one that reports and dies, again and again, does not."""
        known = self._beats.get(name)
        return known is not None and known.again and at - known.at < LIVELY

    def idle(self, name: str, at: float) -> float:
        """Return for how many seconds a worker has had no job, as far as was seen."""
        return at - self._idle_since.get(name, at)

    def _beat(self, name: str, report: WorkerReport, at: float) -> Beat:
        known = self._beats.get(name)
        same = known is not None and known.boot == report.boot
        if known is not None and same and known.count == report.beat:
            return known
        return Beat(report.boot, report.beat, at, same)


@dataclass(frozen=True)
class Look:
    """One pool, seen from both sides."""

    name: str
    pool: Pool
    sight: Sight
    reading: Reading
    watch: Watch
    now: float
    """Redis's time."""
    pods: frozenset[str] = frozenset()
    """All pods of all pools."""
    read_ago: float = 0.0
    """Seconds since the older of both sides was read."""

    @cached_property
    def queues(self) -> list[str]:
        """The queues whose jobs its workers may hold."""
        return sorted({*self.pool.queues, *self.reading.served.get(self.name, ())})

    @property
    def unread(self) -> list[str]:
        """Those of them that could not be read: then it is not known who holds jobs."""
        return [queue for queue in self.queues if queue not in self.reading.scenes]

    @cached_property
    def jobs(self) -> Mapping[str, list[Running]]:
        """Worker -> its jobs, of whatever pool it is."""
        jobs: dict[str, list[Running]] = defaultdict(list)
        for queue in self.queues:
            scene = self.reading.scenes.get(queue)
            for job in scene.running if scene else ():
                jobs[job.worker].append(Running(queue, job.job_type, job.age))
        return jobs

    @cached_property
    def marks(self) -> Mapping[str, float]:
        """Marked worker -> seconds that it is given no job of any queue; 0 where a queue lacks its mark."""
        scenes = [self.reading.scenes[queue] for queue in self.queues if queue in self.reading.scenes]
        names = {name for scene in scenes for name in scene.draining}
        return {name: min(scene.draining.get(name, 0.0) for scene in scenes) for name in names}

    @property
    def untouched(self) -> bool:
        """Whether nobody is marked, here or there, and none of its pods waits to be."""
        return not self.marks and not self.sight.surplus and all(pod.cost is None for pod in self.sight.pods)

    @cached_property
    def strangers(self) -> list[str]:
        """Workers that hold jobs of its queues, are no pod and do not say that they are of another pool.

        One of them may be a pod of ours under another name, so that a pod that has not reported may be at work.
        """
        return [name for name in self.jobs if name not in self.pods and self._ours(name)]

    @cached_property
    def workers(self) -> tuple[Worker, ...]:
        """The pods that were not told to end, as the policy takes them."""
        return tuple(self._worker(pod) for pod in self.sight.staying)

    def state(self) -> PoolState:
        """Return the state to decide from."""
        scenes = self.reading.scenes
        loads = {
            queue: QueueLoad(scene.waiting, scene.oldest_age, scene.arrived, {}, scene.served)
            for queue in self.pool.queues
            if (scene := scenes.get(queue)) is not None
        }
        return PoolState(
            now=self.now,
            replicas=self.sight.replicas,
            queues=loads,
            workers=self.workers,
            unread=f"queue {', '.join(self.unread)}" if self.unread else "",
            read_ago=self.read_ago,
            quota_room=self.sight.quota_room,
            rollout=self.sight.rollout,
        )

    def seen(self, *, settled: bool, left: float, began: Callable[[str], float]) -> Seen:
        """Return what matters for who goes; `began` tells when a worker's drain began, by the reading's clock."""
        workers = {worker.name: worker for worker in self.workers}
        members = tuple(self._member(pod, workers[pod.name]) for pod in self.sight.staying)
        marked = [began(member.name) for member in members if member.mark is not None]
        gone = frozenset(name for name in self.marks if name not in self.pods and self._ours(name))
        return Seen(
            replicas=self.sight.replicas,
            members=members,
            strays=gone,
            settled=settled,
            rollout=self.sight.rollout,
            surplus=self.sight.surplus,
            left=left,
            waited=self.reading.at - min(marked) if marked else 0.0,
        )

    @property
    def running(self) -> int:
        """Jobs of its queues that run, but for those of other pools' workers."""
        return sum(len(jobs) for name, jobs in self.jobs.items() if self._ours(name))

    def _ours(self, name: str) -> bool:
        report = self.reading.reports.get(name)
        return report is None or report.pool in ("", self.name)

    def _worker(self, pod: Pod) -> Worker:
        running = tuple(self.jobs.get(pod.name, ()))
        report = self.reading.reports.get(pod.name)
        # Both times are of the machines that workers run on: Redis's clock may be far from them.
        began_at = pod.began_at or self.now - pod.age
        booted_in = max(0.1, report.booted_at - began_at) if report else None
        return Worker(pod.name, self._phase(pod, report, busy=bool(running)), pod.age, running, booted_in)

    def _phase(self, pod: Pod, report: WorkerReport | None, *, busy: bool) -> Phase:
        if report is None and pod.stage not in NEVER_RAN and self.strangers:
            return Phase.UNKNOWN
        # Whoever holds a job or goes on reporting works, whatever the platform makes of its pod.
        works = pod.stage is Stage.FAILING and (busy or self.watch.lively(pod.name, self.reading.at))
        if pod.stage in PLAIN and not works:
            return PLAIN[pod.stage]
        if report is None:
            return Phase.BOOTING if pod.stage is Stage.STARTING else Phase.UNKNOWN
        if not busy and self.watch.silent(pod.name, self.reading.at) >= SILENT:
            return Phase.UNKNOWN
        return Phase.DRAINING if report.paused or pod.name in self.marks else Phase.READY

    def _member(self, pod: Pod, worker: Worker) -> Member:
        return Member(
            name=pod.name,
            stage=pod.stage,
            ready=pod.ready,
            cost=pod.cost,
            revision=pod.revision,
            busy=bool(worker.running),
            unknown=worker.phase is Phase.UNKNOWN,
            mark=self.marks.get(pod.name),
            idle=self.watch.idle(pod.name, self.reading.at),
        )
