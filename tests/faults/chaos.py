"""The one who breaks things, and remembers what was broken when: the auditor must tell cause from coincidence."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.faults.aof import AofSizes
from tests.faults.disk import full
from tests.faults.journal import read
from tests.processes import members
from tests.waiting import wait_until

if TYPE_CHECKING:
    from tests.faults.processes import Member
    from tests.faults.stack import Stack


CLOCK_STEP = 0.5
"""Seconds by which a claim may seem to come after the fault that killed its worker: Redis takes it from the socket of a
process that is gone, and counts in milliseconds of another clock."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A fault that interrupts attempts of a worker; None: of any worker. `at` is monotonic."""

    at: float
    worker: str | None
    pids: frozenset[int] = frozenset()


@dataclass
class Chaos:
    """Breaks parts of a stack."""

    stack: Stack
    seed: int = 1
    hits: list[Hit] = field(default_factory=list)
    outages: list[tuple[float, float]] = field(default_factory=list)
    """When Redis was away, monotonic."""
    cut: list[tuple[float, float]] = field(default_factory=list)
    """Times whose writes were cut off the AOF."""
    done: Counter[str] = field(default_factory=Counter)
    full: list[tuple[float, int]] = field(default_factory=list)
    """When Redis began and ceased to be full, and how many attempts had ended by then."""
    killer: str | None = None
    """Which jobs kill workers, if that is the scenario."""
    died: list[str] = field(default_factory=list)
    """Workers that ended though nobody had ended them."""
    lingered: list[str] = field(default_factory=list)
    """Workers that did not end well when they were told to."""

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.wall_offset = time.time() - time.monotonic()

    def counts(self) -> dict[str, int]:
        return dict(self.done)

    def explain(self, worker: str, began: float, lost: float) -> float | None:
        """Return the time of the fault that may have cost the worker an attempt of that time."""
        within = [hit for hit in self.hits if began - CLOCK_STEP <= hit.at <= lost + CLOCK_STEP]
        own = [hit.at for hit in within if hit.worker == worker]
        anyones = [hit.at for hit in within if hit.worker is None]
        if not own and not anyones:
            return None
        # A worker's child that was killed is the newest; of faults that hit somebody, the first may have been this one.
        return self.since(max(own) if own else min(anyones), lost)

    def was_cut(self, at: float) -> bool:
        """Tell whether what was written then may have been cut off the AOF."""
        return any(begin <= at <= end for begin, end in self.cut)

    def since(self, hit: float, until: float) -> float:
        """Return the time from which recovery counts: the fault's, or the end of an outage of Redis after it."""
        return max([hit, *(end for _, end in self.outages if hit <= end <= until)])

    def pause(self, least: float, most: float) -> None:
        """Let the stack work for a while: the time between two faults is part of the scenario."""
        time.sleep(self.rng.uniform(least, most))

    def while_submitting(self, least: float, most: float) -> Iterator[None]:
        """Yield again and again, with pauses, until the producers are done."""
        self.pause(least, most)
        while self.stack.submitting():
            yield
            self.revive()
            self.pause(least, most)

    # --- workers ---

    def pick_worker(self) -> Member:
        return self.rng.choice(self.stack.workers)

    def busy_worker(self) -> Member:
        """Wait until a worker is in the middle of a job, and return it."""
        busy: list[Member] = []

        def find() -> bool:
            under_way = {run.pid for runs in read(self.stack.journal).values() for run in runs if run.under_way()}
            busy[:] = [each for each in self.stack.workers if under_way & set(each.children())]
            return bool(busy)

        wait_until(find, timeout=20, what="a busy worker")
        return busy[0]

    def hit(self, what: str, worker: Member, pids: set[int]) -> None:
        self.hits.append(Hit(time.monotonic(), worker.name, frozenset(pids)))
        self.done[what] += 1

    def kill_worker(self, worker: Member | None = None) -> None:
        """SIGKILL a worker with all its children; another one starts at once."""
        worker = worker or self.pick_worker()
        self.hit("worker killed", worker, set(members(worker.pid)))
        self.stack.drop(worker)
        worker.kill()
        self.stack.start_worker()

    def kill_child(self) -> None:
        """SIGKILL a child of a worker."""
        wait_until(self.stack.ready, timeout=30, what="a worker that is up")
        worker = self.rng.choice(self.stack.ready())
        if children := worker.children():
            pid = self.rng.choice(children)
            self.hit("child killed", worker, {pid})
            os.kill(pid, signal.SIGKILL)

    def kill_parent(self, worker: Member | None = None) -> Member:
        """SIGKILL a worker's parent process only; another worker starts at once."""
        worker = worker or self.pick_worker()
        self.hit("parent killed", worker, set(members(worker.pid)))
        self.stack.drop(worker)
        worker.process.kill()
        worker.process.wait()
        self.stack.start_worker()
        return worker

    def replace_worker(self, worker: Member | None = None) -> Member:
        """SIGTERM a worker that is up, as a rollout does; another one starts at once."""
        wait_until(self.stack.ready, timeout=30, what="a worker that is up")
        worker = worker or self.rng.choice(self.stack.ready())
        self.done["worker told to end"] += 1
        self.stack.drop(worker)
        worker.signal(signal.SIGTERM)
        self.stack.start_worker()
        return worker

    def await_end(self, worker: Member, *, seconds: float) -> None:
        """Give a worker that was told to end so long for it, then kill it."""
        try:
            code = worker.process.wait(seconds)
        except subprocess.TimeoutExpired:
            code = None
            worker.kill()
        if code != 0:
            how = f"with code {code}" if code is not None else f"not within {seconds:g} s"
            self.lingered.append(f"{worker.name}, told to end, ended {how}: {worker.tail()}")

    def freeze_worker(self, worker: Member | None = None) -> Member:
        """SIGSTOP a worker with all its children."""
        worker = worker or self.pick_worker()
        self.hit("worker frozen", worker, set(members(worker.pid)))
        worker.signal_all(signal.SIGSTOP)
        return worker

    def thaw(self, worker: Member) -> None:
        """SIGCONT it."""
        worker.signal_all(signal.SIGCONT)

    def revive(self) -> None:
        """Start another worker for each that ended by itself, or that a job has killed."""
        for worker in [each for each in self.stack.workers if not each.alive()]:
            if self.killer:
                self.hit(f"worker killed by {self.killer}", worker, set())
            else:
                self.died.append(f"{worker.name} ended with code {worker.process.returncode}: {worker.tail()}")
            self.stack.drop(worker)
            self.stack.start_worker()

    # --- the controller ---

    @contextmanager
    def controller_frozen(self) -> Generator[None]:
        """SIGSTOP all controllers meanwhile."""
        self.done["reaper frozen"] += 1
        for each in self.stack.controllers:
            each.signal(signal.SIGSTOP)
        yield
        for each in self.stack.controllers:
            each.signal(signal.SIGCONT)

    def kill_controller(self) -> None:
        """SIGKILL a controller; another one starts at once."""
        controller = self.rng.choice(self.stack.controllers)
        self.done["controller killed"] += 1
        self.stack.drop(controller)
        controller.kill()
        self.stack.start_controller()

    # --- Redis ---

    def kill_redis(self, down: float) -> None:
        """SIGKILL Redis, and start it again on its AOF."""
        with self.redis_away("Redis killed"):
            self.stack.redis.kill()
            time.sleep(down)
            self.stack.redis.start()

    def kill_redis_and_cut(self, sizes: AofSizes, seconds: float) -> None:
        """SIGKILL Redis, cut the last seconds off its AOF as a power cut may, and start it again.

        Attempts that began or ended in that time are unknown to the store now: it takes them from any worker.
        """
        with self.redis_away("Redis killed, AOF cut"):
            self.stack.redis.kill()
            killed = time.monotonic()
            since = sizes.cut(killed - seconds)
            self.cut.append((since, killed))
            self.hits.append(Hit(killed, None))
            self.stack.redis.start()

    def pause_redis(self, seconds: float) -> None:
        """SIGSTOP Redis for so long: connections stay open and answer nothing."""
        with self.redis_away("Redis frozen"):
            self.stack.redis.pause()
            time.sleep(seconds)
            self.stack.redis.resume()

    @contextmanager
    def redis_away(self, what: str) -> Generator[None]:
        self.done[what] += 1
        began = time.monotonic()
        yield
        self.outages.append((began, time.monotonic()))

    def flush_scripts(self) -> None:
        self.done["scripts flushed"] += 1
        with self.stack.redis.client() as client:
            client.script_flush()

    def fill_redis(self, seconds: float) -> None:
        """Set maxmemory below what is used: Redis refuses all that needs more."""
        self.done["Redis full"] += 1
        with self.stack.redis.client() as client:
            client.config_set("maxmemory", "1mb")
            self.full.append((time.monotonic(), self.stack.finished()))
            time.sleep(seconds)
            self.full.append((time.monotonic(), self.stack.finished()))
            client.config_set("maxmemory", "0")

    def move_clock(self, seconds: float) -> None:
        """Set the wall clock of all processes so far from the true time."""
        assert self.stack.clock
        self.done["clock moved"] += 1
        self.stack.clock.move(seconds)

    def fill_disk(self, seconds: float) -> None:
        """Fill the artifacts' disk to the last byte for so long."""
        self.done["disk full"] += 1
        with full(self.stack.artifacts):
            time.sleep(seconds)

    @contextmanager
    def connections_breaking(self) -> Generator[None]:
        """Have the proxy that workers connect through break connections meanwhile."""
        assert self.stack.proxy
        with self.stack.proxy.breaking():
            yield
        self.done.update(self.stack.proxy.breaks)
