"""The drain's steps against a small world: workers that take jobs at any time, a ReplicaSet that acts later than it is
told to, and a controller that dies after any of its steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from heavylift_controller.scaler.drain import PATIENCE, Member, Seen, plan
from heavylift_controller.scaler.platform import DRAINED, Stage

MARK = 600.0


@dataclass
class Worker:
    number: int
    running: bool = False
    ready: bool = False
    busy: bool = False
    marked: bool = False
    cost: int | None = None

    @property
    def name(self) -> str:
        return f"w{self.number}"

    def rank(self) -> tuple[object, ...]:
        """How a ReplicaSet sorts whom it deletes: pending, not ready, the lower cost, the younger one."""
        return self.running, self.ready, self.cost or 0, -self.number

    def member(self) -> Member:
        stage = Stage.RUNNING if self.running else Stage.PENDING
        mark = MARK if self.marked else None
        return Member(self.name, stage, ready=self.ready, cost=self.cost, busy=self.busy, mark=mark)


@dataclass
class World:
    replicas: int = 0
    workers: list[Worker] = field(default_factory=list)
    made: int = 0
    killed_at_work: list[str] = field(default_factory=list)

    def reconcile(self) -> None:
        """Do what a ReplicaSet does, late."""
        while len(self.workers) < self.replicas:
            self.made += 1
            self.workers.append(Worker(self.made))
        for worker in sorted(self.workers, key=Worker.rank)[: len(self.workers) - self.replicas]:
            self.workers.remove(worker)
            if worker.busy:
                self.killed_at_work.append(worker.name)

    def seen(self) -> Seen:
        members = tuple(worker.member() for worker in self.workers)
        settled = len(members) == self.replicas
        return Seen(self.replicas, members, settled=settled, left=8.0, waited=PATIENCE)

    def named(self, names: tuple[str, ...]) -> Iterator[Worker]:
        return (worker for worker in self.workers if worker.name in names)

    def steps(self, wanted: int) -> Iterator[Callable[[], None]]:
        """Return what the loop does in one turn, step by step. Between any two of them others may act."""
        step = plan(self.seen(), wanted)
        for worker in self.named(step.release):
            yield lambda worker=worker: setattr(worker, "marked", False)
        for worker in self.named(step.uncost):
            yield lambda worker=worker: setattr(worker, "cost", None)
        if wanted > self.replicas:
            yield lambda: setattr(self, "replicas", wanted)
        for worker in self.named(step.mark):
            yield lambda worker=worker: setattr(worker, "marked", True)
        for worker in self.named(step.cost):
            yield lambda worker=worker: setattr(worker, "cost", DRAINED)
        shrink = plan(self.seen(), wanted).shrink
        if shrink and shrink == step.shrink:
            yield lambda: setattr(self, "replicas", shrink.to)


class Drain(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.wanted = 0

    @initialize(count=st.integers(1, 6))
    def begin(self, count: int) -> None:
        self.world.replicas = self.wanted = count
        self.world.reconcile()
        self.boot()

    @rule(wanted=st.integers(0, 6))
    def want(self, wanted: int) -> None:
        self.wanted = max(wanted, sum(worker.busy for worker in self.world.workers))

    @rule(number=st.integers(0, 9))
    def take_a_job(self, number: int) -> None:
        free = [worker for worker in self.world.workers if worker.running and not worker.marked and not worker.busy]
        if free:
            free[number % len(free)].busy = True

    @rule(number=st.integers(0, 9))
    def end_a_job(self, number: int) -> None:
        busy = [worker for worker in self.world.workers if worker.busy]
        if busy:
            busy[number % len(busy)].busy = False

    @rule()
    def boot(self) -> None:
        for worker in self.world.workers:
            worker.running = True
            worker.ready = not worker.marked

    @rule(number=st.integers(0, 9))
    def probe_one(self, number: int) -> None:
        if self.world.workers:
            worker = self.world.workers[number % len(self.world.workers)]
            worker.ready = worker.running and not worker.marked

    @rule()
    def reconcile(self) -> None:
        self.world.reconcile()

    @rule(survives=st.integers(0, 12), taken=st.integers(0, 12))
    def turn(self, survives: int, taken: int) -> None:
        """Take a turn that ends after so many of its steps; after another number of them somebody takes a job."""
        for number, step in enumerate(self.world.steps(self.wanted)):
            if number == survives:
                return
            if number == taken:
                self.take_a_job(taken)
            step()

    @rule(wanted=st.integers(0, 6))
    def drain_until_the_number_falls(self, wanted: int) -> None:
        """Do so without the ReplicaSet, which has yet to act then."""
        self.want(wanted)
        for _ in range(4):
            for step in self.world.steps(self.wanted):
                step()
            self.boot()

    @rule(number=st.integers(0, 9))
    def burst_that_the_controller_does_not_survive(self, number: int) -> None:
        self.wanted = len(self.world.workers) + 1
        for _, step in zip(range(1), self.world.steps(self.wanted), strict=False):
            step()
        self.take_a_job(number)

    @invariant()
    def nobody_was_killed_at_work(self) -> None:
        assert self.world.killed_at_work == []

    def teardown(self) -> None:
        """Whatever happened: with nothing to do any more, all comes to rest where it should."""
        for worker in self.world.workers:
            worker.busy = False
        for _ in range(12):
            for step in self.world.steps(self.wanted):
                step()
            self.world.reconcile()
            self.boot()
        assert (self.world.replicas, len(self.world.workers)) == (self.wanted, self.wanted)
        assert not any(worker.marked or worker.cost is not None for worker in self.world.workers)
        self.nobody_was_killed_at_work()


TestDrain = Drain.TestCase
TestDrain.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
