"""A place where workers run, for tests of the loop: in memory, with a will of its own like a ReplicaSet's. What Redis
knows of the workers is real: reports, leases and marks go through the same scripts as theirs do.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from heavylift import operations as ops
from heavylift.constants import Keys
from heavylift.errors import StoreUnavailable
from heavylift.ids import JobId, new_job_id
from heavylift.model import JobTypeInfo, PoolAction
from heavylift.operations import Claim, Claimant, Ending, Outcome, Submission, WorkerReport
from heavylift.settings import Settings
from heavylift.store import Call, Store, T
from heavylift_api.pools import MATTERS
from heavylift_controller.scaler.platform import DRAINED, Overrides, PlatformError, Pod, Scaled, Sight, Stage
from heavylift_controller.scaler.pools import Pools
from heavylift_controller.scaler.reading import Reading
from heavylift_controller.scaler.scaler import Scaler
from heavylift_controller.scaler.served import Served
from heavylift_controller.scaler.status import PoolStatus, load
from heavylift_controller.scaling import Decision
from tests.integration.controller.actors import Time

QUEUE = "video"
JOB = JobTypeInfo(type="video.test", queue=QUEUE, input_schema={}, output_schema={})


@dataclass
class Lead:
    """A leadership that a test gives and takes."""

    number: int | None = 1
    seconds: float = 8.0

    def epoch(self) -> int | None:
        return self.number

    def left(self) -> float:
        return self.seconds if self.number is not None else 0.0


@dataclass
class Put:
    """A pod."""

    name: str
    stage: Stage = Stage.PENDING
    ready: bool = False
    cost: int | None = None
    age: float = 1.0

    def rank(self) -> tuple[object, ...]:
        """How a ReplicaSet sorts whom it deletes."""
        return self.stage is Stage.RUNNING, self.ready, self.cost or 0, self.name


@dataclass
class Place:
    """Runs the pool `video`."""

    store: Store
    leadership: Lead = field(default_factory=Lead)
    replicas: int = 0
    pods: list[Put] = field(default_factory=list)
    acts: bool = True
    """Pods are made and ended as soon as the number says so."""
    boots: bool = True
    """Pods run and report as soon as they are made."""
    away: bool = False
    unknown: bool = False
    """The pool is not there."""
    meanwhile: Callable[[], object] | None = None
    """What happens before the next look at one pool alone."""
    answer: Scaled | None = None
    """What becomes of the next changes, without them being made."""
    loses: bool = False
    """The answer to the next change is lost, which is made when it arrives."""
    sent: tuple[int, int] | None = None
    extra: dict[str, object] = field(default_factory=dict)
    """Further fields of what is seen."""
    scaled: list[tuple[int, int]] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    shown: list[Mapping[str, object]] = field(default_factory=list)
    after: Callable[[str], object] | None = None
    """What happens at the end of a pool's turn."""
    looked: Callable[[], object] | None = None
    """What happens at the end of each look."""
    unreleasable: bool = False
    """No number is taken back from the WorkerPool."""
    released: int = 0
    _made: int = 0
    _beat: int = 0

    def act(self) -> None:
        while len(self.pods) < self.replicas:
            self._made += 1
            self.pods.append(Put(f"w{self._made}"))
        for pod in sorted(self.pods, key=Put.rank)[: len(self.pods) - self.replicas]:
            self.pods.remove(pod)
            self.ended.append(pod.name)

    def boot(self) -> None:
        """Let all pods run, and their workers report; those that see a mark are not ready."""
        self._beat += 1
        for pod in self.pods:
            try:
                paused = bool(self.store.run(ops.read_marks(self.store.keys, [QUEUE], pod.name)))
                pod.stage, pod.ready = Stage.RUNNING, not paused
                report = WorkerReport(QUEUE, "boot", 1, (QUEUE,), paused, self._beat, time.time(), "0")
                self.store.run(ops.report_worker(self.store.keys, pod.name, report))
            except StoreUnavailable:
                return

    def look(self) -> Mapping[str, Sight]:
        if self.away:
            raise PlatformError("the platform is away")
        if self.unknown:
            return {}
        if self.acts:
            self.act()
        if self.boots:
            self.boot()
        pods = tuple(Pod(each.name, each.age, each.stage, ready=each.ready, cost=each.cost) for each in self.pods)
        sight = Sight(self.replicas, pods, settled=len(pods) <= self.replicas)
        if self.looked:
            self.looked()
        return {QUEUE: replace(sight, **self.extra)}

    def look_again(self, pool: str) -> Sight:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile:
            meanwhile()
        return self.look()[pool]

    def scale(self, pool: str, *, current: int, to: int) -> Scaled:
        assert pool == QUEUE
        if self.answer or current != self.replicas:
            return self.answer or Scaled.CHANGED
        if self.loses:
            self.loses, self.sent = False, (current, to)
            raise PlatformError("no answer came")
        self._set(current, to)
        return Scaled.DONE

    def arrive(self) -> None:
        """Make the change whose answer was lost, if the number is the one it was sent for."""
        assert self.sent is not None
        current, to = self.sent
        if current == self.replicas:
            self._set(current, to)

    def _set(self, current: int, to: int) -> None:
        self.scaled.append((current, to))
        self.replicas = to

    def mark(self, pool: str, pods: Sequence[str]) -> None:
        self._set_cost(pods, DRAINED)

    def unmark(self, pool: str, pods: Sequence[str]) -> None:
        self._set_cost(pods, None)

    def release(self, pool: str) -> None:
        if self.unreleasable:
            raise PlatformError("denied by a policy")
        self.released += 1
        self.extra["overrides"] = Overrides()

    def show(self, pool: str, decision: Decision, status: Mapping[str, object]) -> None:
        self.shown.append(status)
        if self.after:
            self.after(pool)

    def note(self, pool: str, reason: str, sentence: str, *, warning: bool = False) -> None:
        self.notes.append(reason)

    def close(self) -> None:
        """Nothing runs in the background."""

    def _set_cost(self, names: Sequence[str], cost: int | None) -> None:
        for pod in self.pods:
            if pod.name in names:
                pod.cost = cost


class TimedStore(Store):
    """A store on a Redis whose clock goes as the test's does."""

    time: Time

    def run(self, call: Call[T]) -> T:
        reply = super().run(call)
        if not isinstance(reply, Reading):
            return reply
        now = {queue: replace(scene, now=scene.now + self.time.now) for queue, scene in reply.scenes.items()}
        return replace(reply, scenes=now, now=reply.now and reply.now + self.time.now)


class Scaling:
    """A pool's place, a controller's loop whose clock moves by turns, and the side of clients and workers."""

    def __init__(self, url: str, folder: Path, **pool: object) -> None:
        self.store = TimedStore(Store.from_settings(Settings(redis_url=url)).redis, Keys())
        self.store.time = self.time = Time()
        self.keys = self.store.keys
        self.redis: Any = self.store.redis
        self.store.run(ops.publish_types(self.keys, [JOB]))
        self.file = folder / "pools.json"
        self.configure(**pool)
        self.place = Place(self.store)
        self.served: Served | None = None
        self.scaler = self.another()
        self._claims = 0

    def configure(self, **pool: object) -> None:
        queues = {QUEUE: {"targetWaitSeconds": 20, "expectedServiceSeconds": 30}}
        self.file.write_text(json.dumps({"pools": {QUEUE: {"queues": queues, "max": 5, **pool}}}))

    def another(self) -> Scaler:
        """Return the loop of another controller."""
        return Scaler(self.store, Pools(self.file), self.place, tick=1.0, served=self.served, clock=self.time)

    def turns(self, count: int = 1) -> PoolStatus:
        for _ in range(count):
            self.time.now += 1.0
            self.scaler.turn()
        return self.status()

    def status(self) -> PoolStatus:
        return load(self.store.run(ops.read_pools(self.keys))[QUEUE])

    def at_rest(self, workers: int) -> None:
        """Let so many workers run, and the loop know them."""
        self.place.replicas = workers
        self.turns(3)
        self.place.scaled.clear()

    def submit(self, count: int = 1) -> list[JobId]:
        items = [Submission(new_job_id(QUEUE), JOB, b"{}") for _ in range(count)]
        return [item.id for item in self.store.run(ops.submit(self.keys, QUEUE, items))]

    def claim(self, worker: str) -> list[Claim]:
        """Take the next job as this worker does; nothing where it is marked."""
        self._claims += 1
        claimant = Claimant(worker, "boot")
        claim = ops.claim(self.keys, QUEUE, claimant, number=self._claims, slots=1, busy=0)
        return list(self.store.run(claim))

    def work(self, worker: str) -> Claim:
        self.submit()
        [taken] = self.claim(worker)
        return taken

    def finish(self, taken: Claim, worker: str) -> None:
        ending = Ending(Outcome.SUCCEEDED)
        finish = ops.finish(self.keys, taken.id, taken.token, ending, attempt=taken.attempt, worker=worker)
        assert self.store.run(finish).written

    def order(self, action: str, **more: object) -> None:
        order = {"action": action, "by": "ada", "at": time.time(), **more}
        call = ops.steer(self.keys, QUEUE, json.dumps(order).encode(), matters=MATTERS[PoolAction(action)])
        self.store.run(call)

    def marked(self) -> set[str]:
        """Return who is marked."""
        return {name.decode() for name in self.redis.hkeys(self.keys.draining(QUEUE)) if name}
