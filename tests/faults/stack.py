"""What is tested: a Redis with AOF, workers, a controller, two producers. `Stack` ends all of it, whatever happens."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar

import redis

from heavylift.scripts import script
from tests.faults.audit import BASE, audit
from tests.faults.journal import JOURNAL
from tests.faults.load import Accepted, Load
from tests.faults.processes import Member
from tests.faults.report import Report
from tests.fixtures_redis import RedisServer
from tests.waiting import wait_until

if TYPE_CHECKING:
    from tests.faults.chaos import Chaos
    from tests.faults.clock import Clock
    from tests.faults.proxy import Proxy

AOF = ("--appendonly", "yes", "--appendfsync", "everysec", "--aof-load-truncated", "yes")
PRODUCERS = 2


@dataclass(frozen=True)
class Size:
    """How large a stack is, and how patient."""

    workers: int = 3
    slots: int = 2
    lease: float = 15.0
    """Seconds: HEAVYLIFT_LEASE_PERIOD of the controller; for Celery the visibility timeout."""
    longest: float = 0.0
    """Seconds the longest job runs; Celery's visibility timeout is longer."""
    grace: float = 5.0
    """Seconds a worker that is told to end gives its jobs."""


class Stack:
    """One side: ours. See stock.py for the other."""

    side: ClassVar[str] = "ours"
    title: ClassVar[str] = "Heavylift"

    def __init__(self, folder: Path, size: Size) -> None:
        self.folder = folder
        self.size = size
        self.redis = RedisServer(folder, *AOF)
        self.journal = folder / "journal"
        self.journal.touch()
        self.artifacts = folder / "artifacts"
        self.workers: list[Member] = []
        self.controllers: list[Member] = []
        self.producers: list[Member] = []
        self.ended: list[Member] = []
        self.proxy: Proxy | None = None
        """What workers connect through to Redis, where a scenario breaks connections."""
        self.clock: Clock | None = None
        """The wall clock of all its processes, where a scenario moves it."""
        self._numbers = 0

    def __enter__(self) -> Stack:
        try:
            self.redis.start()
            self.begin()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def begin(self) -> None:
        """Start the controller and the workers."""
        self.start_controller()
        for _ in range(self.size.workers):
            self.start_worker()
        self.await_workers()

    def close(self) -> None:
        """End every process, by its id."""
        with ExitStack() as ends:  # all of them, even if one end fails
            ends.callback(self.end_redis)
            for member in [*self.producers, *self.workers, *self.controllers, *self.ended]:
                ends.callback(member.kill)

    def end_redis(self) -> None:
        """End Redis, frozen or not."""
        if self.redis.process and self.redis.process.poll() is None:
            self.redis.resume()
            self.redis.kill()

    # --- parts ---

    def env(self) -> dict[str, str]:
        """Return the environment of every process of ours."""
        return {
            "HEAVYLIFT_REDIS_URL": self.redis.url,
            "HEAVYLIFT_ARTIFACTS_URL": f"file://{self.artifacts}",
            JOURNAL: str(self.journal),
        }

    def start_worker(self, **env: str) -> Member:
        settings = {
            "HEAVYLIFT_CONCURRENCY": str(self.size.slots),
            "HEAVYLIFT_GRACE": str(self.size.grace),
            "HEAVYLIFT_JOBS": "tests.faults.work",
        }
        name = self.next_name("worker")
        command = ["-m", "heavylift_worker", "--name", name]
        return self.add(self.workers, name, command, {**self.env(), **settings, **self.through(), **env})

    def through(self) -> dict[str, str]:
        """Return the environment of those who connect through the proxy, if there is one."""
        return {"HEAVYLIFT_REDIS_URL": self.proxy.url} if self.proxy else {}

    def start_controller(self, **env: str) -> Member | None:
        settings = {"HEAVYLIFT_LEASE_PERIOD": str(self.size.lease)}
        command = ["-m", "heavylift_controller"]
        return self.add(self.controllers, self.next_name("controller"), command, {**self.env(), **settings, **env})

    def submit(self, load: Load) -> None:
        """Start the producers."""
        for number in range(PRODUCERS):
            name = self.next_name("producer")
            file = self.folder / f"{name}.accepted"
            file.touch()
            arguments = [self.side, load.to_json(), str(number), str(PRODUCERS), str(file)]
            self.add(self.producers, name, ["-m", "tests.faults.producer", *arguments], self.env())

    def add(self, members: list[Member], name: str, command: list[str], env: dict[str, str]) -> Member:
        members.append(Member(name, command, self.folder, env))
        return members[-1]

    def next_name(self, role: str) -> str:
        self._numbers += 1
        return f"{role}-{self._numbers}"

    def drop(self, member: Member) -> None:
        """Take a member that a fault has ended, or is about to end, out of its list."""
        for members in (self.workers, self.controllers):
            if member in members:
                members.remove(member)
        self.ended.append(member)

    def await_workers(self) -> None:
        """Wait until every worker has its children."""
        wait_until(lambda: len(self.ready()) == len(self.workers), timeout=30, what="the workers' start")

    def ready(self) -> list[Member]:
        """Return the workers that have started their children and take jobs."""
        return [each for each in self.workers if len(each.children()) >= self.size.slots and self.takes_jobs(each)]

    def takes_jobs(self, worker: Member) -> bool:
        """Tell whether a worker has said that it is ready."""
        return "worker_ready" in worker.log.read_text(errors="replace")

    # --- what is to be seen ---

    def accepted(self) -> list[Accepted]:
        """Return what producers were told is accepted."""
        found = []
        for file in sorted(self.folder.glob("*.accepted")):
            for line in file.read_text().splitlines():
                job, at, delay = line.split(" ")
                found.append(Accepted(job, float(at), float(at) + float(delay)))
        return found

    def submitting(self) -> bool:
        """Tell whether a producer has more to submit. A producer that failed fails the test."""
        for each in self.producers:
            assert each.process.poll() in (None, 0), each.log.read_text()[-3000:]
        return any(each.alive() for each in self.producers)

    def await_end(self, timeout: float, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Wait until everything accepted has ended, as far as can be seen, but no longer than `timeout`."""
        deadline = time.monotonic() + timeout
        while self.workers and (self.submitting() or self.open_jobs()) and time.monotonic() < deadline:
            meanwhile()
            time.sleep(0.25)

    def running(self) -> int:
        """Return how many attempts the journal shows to be under way, were no process ever killed."""
        words = [line.partition(" ")[0] for line in self.journal.read_text().splitlines()]
        return words.count("start") - words.count("end")

    def finished(self) -> int:
        """Return how many attempts have ended, as the journal shows."""
        return sum(line.startswith("end ") for line in self.journal.read_text().splitlines())

    def commands(self) -> dict[str, tuple[bytes, int]]:
        """Return how a proxy knows the commands that matter, and how many of each pass between two breaks."""
        return {
            "claim": (script("claim").sha.encode(), 40),
            "finish": (script("finish").sha.encode(), 40),
            "renewal": (script("renew").sha.encode(), 5),
        }

    def audit(self, chaos: Chaos, report: Report) -> None:
        """Judge what was left behind."""
        audit(self, chaos, report)

    def open_jobs(self) -> int:
        """Return how many jobs are waiting, scheduled or running; 1 while that cannot be said."""
        with suppress(redis.RedisError), self.redis.client() as client:
            pipeline: Any = client.pipeline(transaction=False)
            for index in ("queued", "scheduled", "running"):
                pipeline.zcard(f"{BASE}{index}")
            return sum(pipeline.execute())
        return 1

    def end_workers(self) -> list[int | None]:
        """Ask all workers and controllers to end; returns their exit codes."""
        members = [*self.workers, *self.controllers]
        self.workers, self.controllers = [], []
        self.ended += members
        for each in members:
            each.tell_to_end()
        deadline = time.monotonic() + self.size.grace + 10
        return [each.ended(deadline) for each in members]
