"""What one tick of the scaling loop costs, by the number of pools."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from bench.options import Options
from bench.redis_server import RedisServer
from bench.results import Bars, Goal, Result
from bench.spread import Spread
from heavylift import operations as ops
from heavylift.ids import new_job_id
from heavylift.model import JobTypeInfo
from heavylift.settings import Settings
from heavylift.store import Store
from heavylift_controller.scaler.platform import Pod, Scaled, Sight, Stage
from heavylift_controller.scaler.pools import Pools
from heavylift_controller.scaler.scaler import Scaler
from heavylift_controller.scaling import Decision

POOLS = (1, 50, 200)
WORKERS = 5
"""Of each pool; one of them is idle."""
WAITING = 20
TYPES = ("short", "long")
BUCKETS = range(20, 44, 2)
"""Lengths of ended jobs that the policy knows of each type: 0.3 to 17 s."""
WARM, TICKS = 10, 10
GOAL_MS = 100.0

HOW = f"""\
The loop itself with a real Redis and simulated pods: {WORKERS} workers a pool, all but one of them at work, {WAITING}
jobs waiting and two job types known in each queue. A tick reads everything, decides on each pool and publishes what was
decided. Its work is the processor time of the controller and of Redis together; commands are those that Redis counted,
within scripts too. {TICKS} ticks a round after {WARM} to warm up, at no rest between them."""


@dataclass
class Lead:
    """Leads."""

    def epoch(self) -> int:
        """Return the number of the leadership."""
        return 1

    def left(self) -> float:
        """Return how long it lasts."""
        return 8.0


@dataclass
class Simulated:
    """A platform where nothing happens."""

    sights: Mapping[str, Sight]
    leadership: Lead = field(default_factory=Lead)

    def look(self) -> Mapping[str, Sight]:
        """Return all pools."""
        return self.sights

    def look_again(self, pool: str) -> Sight:
        """Return one."""
        return self.sights[pool]

    def scale(self, pool: str, *, current: int, to: int) -> Scaled:
        """Refuse."""
        raise AssertionError(f"{pool} is as it should be, not to be set from {current} to {to}")

    def mark(self, pool: str, pods: Sequence[str]) -> None:
        """Do nothing."""

    def unmark(self, pool: str, pods: Sequence[str]) -> None:
        """Do nothing."""

    def release(self, pool: str) -> None:
        """Do nothing."""

    def show(self, pool: str, decision: Decision, status: Mapping[str, object]) -> None:
        """Do nothing."""

    def note(self, pool: str, reason: str, sentence: str, *, warning: bool = False) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


@dataclass(frozen=True)
class Tick:
    """The cost of one, on average over a round. Milliseconds of processor time."""

    controller: float
    redis: float
    commands: float
    wall: float

    @property
    def work(self) -> float:
        """Of both."""
        return self.controller + self.redis


def measure(options: Options) -> Result:
    """Return the row."""
    found = {pools: list(_rounds(pools, options)) for pools in POOLS}
    work = {pools: Spread.of([tick.work for tick in ticks]) for pools, ticks in found.items()}
    return Result(
        row="scaling",
        title="A tick of the scaling loop",
        how=HOW,
        columns=["pools", "controller, ms", "Redis, ms", "together, ms", "by the clock, ms", "Redis commands"],
        lines=[
            [
                str(pools),
                Spread.of([tick.controller for tick in ticks]).text(1),
                Spread.of([tick.redis for tick in ticks]).text(1),
                work[pools].text(1),
                Spread.of([tick.wall for tick in ticks]).text(1),
                Spread.of([tick.commands for tick in ticks]).text(0),
            ]
            for pools, ticks in found.items()
        ],
        goals=[Goal.at_most(f"work of a tick with {POOLS[-1]} pools", GOAL_MS, work[POOLS[-1]], unit="ms", digits=1)],
        charts=[
            Bars(
                "scaling",
                "Processor time of one tick of the scaling loop, controller and Redis",
                "ms",
                {f"{pools} pools": spread for pools, spread in work.items()},
            )
        ],
        rounds={f"{pools} pools: work, ms": [tick.work for tick in ticks] for pools, ticks in found.items()}
        | {f"{pools} pools: commands": [tick.commands for tick in ticks] for pools, ticks in found.items()},
    )


def _rounds(pools: int, options: Options) -> Iterator[Tick]:
    with ExitStack() as stack:
        server = stack.enter_context(RedisServer(options.folder / f"scaling-{pools}"))
        store = Store.from_settings(Settings(redis_url=server.url))
        stack.callback(store.close)
        scaler = _scaler(store, [f"pool-{number}" for number in range(pools)], options.folder)
        for _ in range(WARM):
            scaler.turn()
        for _ in range(options.rounds):
            yield _round(scaler, server)


def _round(scaler: Scaler, server: RedisServer) -> Tick:
    commands, redis, cpu, began = server.commands(), _redis_cpu(server), time.process_time(), time.perf_counter()
    for _ in range(TICKS):
        scaler.turn()
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    redis, commands = _redis_cpu(server) - redis, server.commands() - commands - 2  # two INFOs were ours
    return Tick(1000 * cpu / TICKS, 1000 * redis / TICKS, commands / TICKS, 1000 * wall / TICKS)


def _redis_cpu(server: RedisServer) -> float:
    info = server.ask("INFO", "cpu")
    return float(info["used_cpu_user"]) + float(info["used_cpu_sys"])


def _scaler(store: Store, names: Sequence[str], folder: Path) -> Scaler:
    for name in names:
        _fill(store, name)
    file = folder / f"pools-{len(names)}.json"
    pool = {"min": WORKERS, "max": WORKERS, "windows": [{"cron": "0 8 * * 1-5", "durationSeconds": 36000, "min": 1}]}
    file.write_text(json.dumps({"pools": {name: {**pool, "queues": {name: {}}} for name in names}}))
    pods = {
        name: tuple(Pod(_worker(name, at), 900.0, Stage.RUNNING, ready=True) for at in range(WORKERS)) for name in names
    }
    sights = {name: Sight(WORKERS, pods[name]) for name in names}
    return Scaler(store, Pools(file), Simulated(sights), tick=1.0)


def _worker(pool: str, number: int) -> str:
    return f"release-heavylift-worker-{pool}-5d8f7c9b6-{number:05}"


def _fill(store: Store, queue: str) -> None:
    """Give a queue its workers, jobs that wait and run, and a past."""
    keys = store.keys
    infos = [JobTypeInfo(type=f"{queue}.{each}", queue=queue, input_schema={}, output_schema={}) for each in TYPES]
    store.run(ops.publish_types(keys, infos))
    jobs = (ops.Submission(new_job_id(queue), info, b"{}") for _ in range(WAITING) for info in infos)
    store.run(ops.submit(keys, queue, list(islice(jobs, WAITING + WORKERS - 1))))
    for number in range(WORKERS):
        name = _worker(queue, number)
        report = ops.WorkerReport(queue, "boot", 1, (queue,), paused=False, beat=1, booted_at=time.time(), version="0")
        store.run(ops.report_worker(keys, name, report))
        if number:
            store.run(ops.claim(keys, queue, ops.Claimant(name, "boot"), number=number, slots=1, busy=0))
    served = {f"{info.type} {bucket}": 10 + bucket for info in infos for bucket in BUCKETS}
    store.redis.hset(f"{keys.base(queue)}served", mapping=served)
