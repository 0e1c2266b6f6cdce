"""What scaling asks of the store: what queues and workers do, and who is to get no more jobs.

A drain mark on a worker makes the claim script give it nothing. Once it is marked in every queue that it serves, and a
scene read later shows no job of it, it holds nothing and can get nothing, whatever it was doing meanwhile. Marks end by
themselves unless renewed, and only the newest leader (the highest epoch that wrote) sets them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import orjson
from pydantic import TypeAdapter, ValidationError

from heavylift.constants import DRAIN_PERIOD, Keys
from heavylift.operations.replies import to_int, to_list, to_mapping, to_text
from heavylift.scripts import script
from heavylift.store import Argument, Call, Reply


@dataclass(frozen=True, slots=True)
class RunningJob:
    """A leased job."""

    uuid: str
    job_type: str
    worker: str
    age: float
    """Seconds since its attempt began."""


@dataclass(frozen=True, slots=True)
class QueueScene:
    """A queue as it was at one moment: one script has read all of it."""

    now: float
    """Seconds since the epoch, by Redis's clock."""
    waiting: int
    """Ready to run, messages of stock producers included that no worker has adopted yet."""
    oldest_age: float
    """Seconds since the oldest of them became ready to run: after its `run_at`, a retry or a loss it waits anew."""
    arrived: int
    """Counter of jobs that became ready to run."""
    served: Mapping[str, Mapping[int, int]]
    """Job type -> bucket of the attempt's seconds -> counter of attempts that ended by themselves."""
    running: tuple[RunningJob, ...]
    draining: Mapping[str, float]
    """Worker -> seconds that its mark still holds."""
    epoch: int
    """The highest that has written marks."""


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """What a worker says of itself, every few seconds and when something changes."""

    pool: str
    boot: str
    """Another one after each start: a container that was started again keeps its pod's name."""
    slots: int
    queues: tuple[str, ...]
    paused: bool
    """It takes no jobs at present: it has seen a mark, or is ending."""
    beat: int
    """Counts its reports: a worker whose count stands still is dead or cut off."""
    booted_at: float
    """When it was first ready to take jobs, in seconds since the epoch by its own clock."""
    version: str


_REPORT = TypeAdapter(WorkerReport)


def read_scenes(keys: Keys, queues: Sequence[str]) -> Call[dict[str, QueueScene]]:
    """Return what the queues hold, in one round trip. One whose keys are of a foreign type is missing."""
    scene = script("scene")
    commands = [("EVALSHA", scene.sha, len(names), *names) for names in map(keys.script_keys, queues)]

    def parse(replies: list[Reply]) -> dict[str, QueueScene]:
        pairs = zip(queues, replies, strict=True)
        return {queue: _scene(to_list(reply)) for queue, reply in pairs if reply is not None}

    return Call(commands, parse, scene, tolerant=True)


def _scene(reply: list[Reply]) -> QueueScene:
    now, waiting, oldest, arrived, served, running, marks, epoch = reply
    names, left = to_list(marks)[::2], to_list(marks)[1::2]
    return QueueScene(
        now=to_int(now) / 1000,
        waiting=to_int(waiting),
        oldest_age=to_int(oldest) / 1000,
        arrived=to_int(arrived),
        served=_served(to_mapping(served)),
        running=tuple(_running(to_list(row)) for row in to_list(running)),
        draining={to_text(name): to_int(ms) / 1000 for name, ms in zip(names, left, strict=True)},
        epoch=to_int(epoch),
    )


def _running(row: list[Reply]) -> RunningJob:
    uuid, job_type, worker, age = row
    return RunningJob(to_text(uuid), to_text(job_type), to_text(worker), to_int(age) / 1000)


def _served(fields: Mapping[str, bytes]) -> dict[str, dict[int, int]]:
    served: dict[str, dict[int, int]] = {}
    for name, count in fields.items():
        job_type, _, bucket = name.rpartition(" ")
        if bucket.isdecimal() and count.isdigit():
            served.setdefault(job_type, {})[int(bucket)] = int(count)
    return served


def drain(
    keys: Keys,
    queue: str,
    *,
    epoch: int,
    mark: Sequence[str] = (),
    release: Sequence[str] = (),
    seconds: float = DRAIN_PERIOD.total_seconds(),
) -> Call[bool]:
    """Mark workers, or mark them for `seconds` more, and take marks back.

    False: a leader with a higher epoch has written, nothing was done.
    """
    args: list[Argument] = [epoch, int(seconds * 1000), len(mark), *mark, *release]
    return Call.of(script("drain"), keys.script_keys(queue), args, lambda reply: reply == 1)


def next_epoch(keys: Keys) -> Call[int]:
    """Draw the number of a new leadership, higher than any before."""
    return Call.of(script("write"), [keys.epoch], ["INCR"], to_int)


def call_workers(keys: Keys, names: Sequence[str]) -> Call[None]:
    """Make these workers look at once whether they are marked, should they wait for jobs."""
    return Call.of(script("call"), [keys.called(name) for name in names], [int(DRAIN_PERIOD.total_seconds())], _nothing)


def read_marks(keys: Keys, queues: Sequence[str], worker: str) -> Call[frozenset[str]]:
    """Return the queues in which the worker is marked."""
    commands = [("TIME",), *(("HGET", keys.draining(queue), worker) for queue in queues)]

    def parse(replies: list[Reply]) -> frozenset[str]:
        seconds, micros = to_list(replies[0])
        now = to_int(seconds) * 1000 + to_int(micros) // 1000
        ends = zip(queues, replies[1:], strict=True)
        return frozenset(queue for queue, end in ends if end is not None and to_int(end) > now)

    return Call(commands, parse, tolerant=True)


def report_worker(keys: Keys, name: str, report: WorkerReport) -> Call[None]:
    """Publish what a worker says of itself."""
    return Call.of(script("write"), [keys.workers], ["HSET", name, orjson.dumps(report)], _nothing)


def read_workers(keys: Keys) -> Call[dict[str, WorkerReport]]:
    """Return the newest report of each worker by its name; one that cannot be read is left out."""

    def parse(replies: list[Reply]) -> dict[str, WorkerReport]:
        reports = {name: _report(text) for name, text in to_mapping(replies[0]).items()}
        return {name: report for name, report in reports.items() if report is not None}

    return Call([("HGETALL", keys.workers)], parse)


def _report(text: bytes) -> WorkerReport | None:
    try:
        return _REPORT.validate_json(text)
    except ValidationError:  # a worker of another version must not hide the others
        return None


def forget_workers(keys: Keys, names: Sequence[str]) -> Call[None]:
    """Drop the reports of workers that are gone."""
    return _drop(keys.workers, names)


def publish_pools(keys: Keys, statuses: Mapping[str, bytes]) -> Call[None]:
    """Publish what these pools do and why, as JSON; others keep theirs."""
    return _write(keys.pools, statuses)


def read_pools(keys: Keys) -> Call[dict[str, bytes]]:
    """Return what is published of each pool."""
    return _read(keys.pools)


def forget_pools(keys: Keys, names: Sequence[str]) -> Call[None]:
    """Drop what is published and remembered of pools that are gone."""
    commands = [("HDEL", key, *names) for key in (keys.pools, keys.scaling)]
    return Call(commands if names else [], lambda _: None)


def forget_orders(keys: Keys, orders: Iterable[tuple[str, str]]) -> Call[None]:
    """Drop people's orders, by pool and matter."""
    return _drop(keys.steering, [f"{pool} {matter}" for pool, matter in orders])


def save_memory(keys: Keys, pool: str, epoch: int, memory: bytes) -> Call[bool]:
    """Keep what the policy remembers of a pool. False: a leader with a higher epoch has written, nothing was done."""
    return Call.of(script("remember"), [keys.scaling], [epoch, pool, memory], lambda reply: reply == 1)


def depose(keys: Keys, epoch: int) -> Call[bool]:
    """Keep leaders with a lower epoch from keeping anything more, as they must before a scale-in."""
    return Call.of(script("remember"), [keys.scaling], [epoch], lambda reply: reply == 1)


def kept_epoch(keys: Keys) -> Call[int]:
    """Return the highest epoch that has kept something, 0 for none."""
    return Call([("HGET", keys.scaling, "")], lambda replies: to_int(replies[0] or 0))


def read_memories(keys: Keys) -> Call[dict[str, bytes]]:
    """Return what is remembered of each pool."""

    def parse(replies: list[Reply]) -> dict[str, bytes]:
        return {pool: memory for pool, memory in to_mapping(replies[0]).items() if pool}

    return Call([("HGETALL", keys.scaling)], parse)


def steer(keys: Keys, pool: str, order: bytes, *, matters: Sequence[str] = ("",)) -> Call[None]:
    """Leave a person's order about a pool, as JSON; it replaces earlier ones about the same matters."""
    return _write(keys.steering, {f"{pool} {matter}": order for matter in matters})


def read_steering(keys: Keys) -> Call[dict[str, dict[str, bytes]]]:
    """Return pool -> matter -> the newest order about it."""

    def parse(replies: list[Reply]) -> dict[str, dict[str, bytes]]:
        orders: dict[str, dict[str, bytes]] = {}
        for name, order in to_mapping(replies[0]).items():
            pool, _, matter = name.partition(" ")
            orders.setdefault(pool, {})[matter] = order
        return orders

    return Call([("HGETALL", keys.steering)], parse)


def woken(keys: Keys, queue: str) -> str:
    """Return the channel on which a submit tells that the queue was empty before: a hint, that may be lost."""
    return keys.woken(queue)


def _read(key: str) -> Call[dict[str, bytes]]:
    return Call([("HGETALL", key)], lambda replies: to_mapping(replies[0]))


def _write(key: str, fields: Mapping[str, bytes]) -> Call[None]:
    pairs = [part for pair in fields.items() for part in pair]
    return Call.of(script("write"), [key], ["HSET", *pairs], _nothing) if pairs else Call([], _nothing)


def _nothing(_: object) -> None:
    """What a reply is to a write of which nothing is told."""


def _drop(key: str, names: Sequence[str]) -> Call[None]:
    return Call([("HDEL", key, *names)] if names else [], lambda _: None)
