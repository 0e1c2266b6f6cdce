"""The scenarios: what is submitted, what is broken meanwhile, and what must be true beyond the auditor's questions."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field

import pytest

from tests.faults import checks, clock, disk
from tests.faults.aof import AofSizes
from tests.faults.chaos import Chaos
from tests.faults.load import SHORT, Kind, Load
from tests.faults.proxy import Proxy
from tests.faults.report import Report
from tests.faults.stack import Size, Stack

SOME_LONG = (Kind(0.01, (0.3, 3.0)), SHORT)
"""One in a hundred runs for seconds: at any time about one a worker is in the middle of its work."""


HOLD = 4.0
"""Seconds a job that holds a slot runs longer than the outage."""


ROUNDS = 2
"""Outages: whether one catches a hasty reaper depends on when in a second it begins."""

LATE = 2.0
"""Seconds the controller is in contact with Redis before the workers are; shorter than the lease."""


@dataclass(frozen=True)
class Pace:
    """How long a form of the suite takes. Seconds."""

    submit: float
    outage: float
    """Longer than the lease."""
    pause: float
    """How long Redis is frozen; longer than the lease."""


@dataclass(frozen=True)
class Scenario:
    """One kind of trouble."""

    name: str
    what: str
    """For the page: what is broken, how often."""
    run: Callable[[Stack, Chaos, Pace], None]
    kinds: tuple[Kind, ...] = SOME_LONG
    stock: bool = True
    """Whether it can be done to stock Celery too."""
    harmless: bool = False
    """No attempt may be lost or repeated at all."""
    size: Size = field(default_factory=Size)
    holds_slots_for: Callable[[Pace], float] | None = None
    """How long an outage is that some jobs outrun; none do where not given."""
    outage_delays: bool = False
    """Recovery may take the outage's time longer: what recovers is itself frozen."""
    around: Callable[[Stack], AbstractContextManager[None]] = lambda _: nullcontext()
    """Made before the stack starts, and undone after its end."""
    check: Callable[[Stack, Chaos, Report], None] | None = None
    """What else must be true of Heavylift."""
    more_jobs: int = 0
    """Submitted by the scenario itself."""
    impossible: Callable[[], str | None] = lambda: None
    """Why it cannot be run on this machine, if it cannot."""
    remark: str = ""
    """For the page: what to know of the figures."""

    def skip_where_impossible(self) -> None:
        """Skip the test where this machine lacks what the scenario needs."""
        if why := self.impossible():
            pytest.skip(why)


def kill_workers(stack: Stack, chaos: Chaos, pace: Pace) -> None:
    for _ in chaos.while_submitting(2, 6):
        chaos.kill_worker()


def kill_children(stack: Stack, chaos: Chaos, pace: Pace) -> None:
    for _ in chaos.while_submitting(0.2, 0.8):
        chaos.kill_child()


def kill_either(stack: Stack, chaos: Chaos, pace: Pace) -> None:
    for _ in chaos.while_submitting(2, 4):
        chaos.kill_child()
        chaos.pause(1, 2)
        chaos.kill_worker()


def replace_workers(stack: Stack, chaos: Chaos, pace: Pace) -> None:
    leaving = [chaos.replace_worker() for _ in chaos.while_submitting(1, 4)]
    for worker in leaving:
        chaos.await_end(worker, seconds=stack.size.grace + 15)


def kill_parents(stack: Stack, chaos: Chaos, pace: Pace) -> None:
    for _ in chaos.while_submitting(3, 6):
        chaos.kill_parent()


def freeze_workers(stack: Stack, chaos: Chaos, pace: Pace) -> None:
    for _ in chaos.while_submitting(2, 3):
        worker = chaos.freeze_worker()
        time.sleep(pace.outage)
        chaos.thaw(worker)


def restart_redis(stack: Stack, chaos: Chaos, pace: Pace) -> None:
    for _ in chaos.while_submitting(2, 6):
        chaos.kill_redis(down=chaos.rng.uniform(0, 2))


def cut_aof(stack: Stack, chaos: Chaos, pace: Pace) -> None:
    with AofSizes(stack.folder) as sizes:
        for _ in chaos.while_submitting(4, 8):
            chaos.kill_redis_and_cut(sizes, seconds=1.0)


def hold_slots(stack: Stack, seconds: float) -> None:
    """Have some of the slots run jobs of that length, so that others are free."""
    stack.submit(Load(jobs=4, seconds=0.0, kinds=(Kind(1.0, (seconds, seconds)),)))
    deadline = time.monotonic() + 60  # behind all that waits; where they never start, the auditor will say so
    while stack.running() < 4 and time.monotonic() < deadline:
        time.sleep(0.1)


@contextmanager
def through_proxy(stack: Stack) -> Generator[None]:
    """Have workers connect through a proxy."""
    with Proxy(stack.redis.port, stack.commands()) as proxy:
        stack.proxy = proxy
        yield


@contextmanager
def workers_come_late(stack: Stack) -> Generator[None]:
    """Let workers reach Redis only a while after the outage: the controller, which was there first, must wait."""
    assert stack.proxy
    with stack.proxy.closed():
        yield
        time.sleep(LATE)


def redis_down(stack: Stack, chaos: Chaos, pace: Pace) -> None:
    for _ in range(ROUNDS):
        chaos.pause(HOLD, HOLD + 2)
        hold_slots(stack, pace.outage + HOLD)
        with workers_come_late(stack):
            chaos.kill_redis(down=pace.outage)


def redis_paused(stack: Stack, chaos: Chaos, pace: Pace) -> None:
    for _ in range(ROUNDS):
        chaos.pause(HOLD, HOLD + 2)
        hold_slots(stack, pace.pause + HOLD)
        with workers_come_late(stack):
            chaos.pause_redis(pace.pause)


def flush_scripts(stack: Stack, chaos: Chaos, pace: Pace) -> None:
    for _ in chaos.while_submitting(0.05, 0.3):
        chaos.flush_scripts()


def fill_redis(stack: Stack, chaos: Chaos, pace: Pace) -> None:
    for _ in chaos.while_submitting(3, 4):
        chaos.fill_redis(4.0)


def break_connections(stack: Stack, chaos: Chaos, pace: Pace) -> None:
    with chaos.connections_breaking():
        for _ in chaos.while_submitting(1, 1):
            pass
        stack.await_end(3 * stack.size.lease)


def freeze_reaper(stack: Stack, chaos: Chaos, pace: Pace) -> None:
    for _ in chaos.while_submitting(2, 3):
        with chaos.controller_frozen():
            chaos.kill_worker()
            time.sleep(pace.outage)
        chaos.pause(stack.size.lease + 3, stack.size.lease + 4)  # a frozen reaper that is frozen again never reaps


def kill_controllers(stack: Stack, chaos: Chaos, pace: Pace) -> None:
    for _ in chaos.while_submitting(1, 3):
        chaos.kill_controller()


@contextmanager
def own_clock(stack: Stack) -> Generator[None]:
    """Give all processes of the stack, Redis too, a wall clock that can be moved."""
    stack.clock = clock.Clock(stack.folder)
    with stack.clock.preloaded():
        yield


def move_clocks(stack: Stack, chaos: Chaos, pace: Pace) -> None:
    for _ in chaos.while_submitting(2, 4):
        chaos.move_clock(chaos.rng.choice((-7200, -60, 60, 3600, 7200)))
    chaos.move_clock(8000)  # what is due by a clock that was ahead is due now


def small_disk(stack: Stack) -> AbstractContextManager[None]:
    """Keep the stack's artifacts on a disk of their own."""
    return disk.mounted(stack.artifacts)


def fill_disk(stack: Stack, chaos: Chaos, pace: Pace) -> None:
    for _ in chaos.while_submitting(2, 4):
        chaos.fill_disk(3.0)


def poison(stack: Stack, chaos: Chaos, pace: Pace) -> None:
    chaos.killer = "poison"
    chaos.pause(1, 2)
    stack.submit(Load(jobs=4, seconds=0.0, kinds=(Kind(1.0, (0.1, 0.3), type="faults.poison"),)))
    for _ in chaos.while_submitting(0.1, 0.2):
        chaos.revive()


SCENARIOS = (
    Scenario("sigkill-workers", "SIGKILL of a whole worker every 2 to 6 s", kill_workers),
    Scenario("sigkill-children", "SIGKILL of a worker's child every 0.2 to 0.8 s", kill_children),
    Scenario(
        "sigkill-large",
        "SIGKILL of workers and children whose jobs hold 1 GB",
        kill_either,
        kinds=(Kind(0.004, (0.5, 2.0), fields={"megabytes": 1024}), SHORT),
    ),
    Scenario(
        "sigterm",
        "SIGTERM of a worker every 1 to 4 s, 5 s of grace, some jobs longer than that",
        replace_workers,
        kinds=(Kind(0.01, (0.3, 3.0)), Kind(0.001, (6.0, 9.0)), SHORT),
        harmless=True,
        check=checks.count_released,
    ),
    Scenario(
        "sigkill-parent",
        "SIGKILL of a worker's parent process only, while its children's jobs run processes of their own",
        kill_parents,
        kinds=(Kind(0.01, (0.3, 3.0), fields={"processes": 2}), SHORT),
        check=checks.count_orphans,
    ),
    Scenario(
        "sigstop",
        "SIGSTOP of a worker for longer than the lease, then SIGCONT",
        freeze_workers,
        remark="A frozen worker goes on with its jobs for a moment after it is thawed: their effects may overlap with"
        " those of the next attempts, but the store takes no word of them any more.",
    ),
    Scenario(
        "redis-killed",
        "kill -9 of Redis every 2 to 6 s, away 0 to 2 s",
        restart_redis,
        harmless=True,
        remark="Before it is killed Redis is made to write what it has answered: with `appendfsync everysec` it puts"
        " that off, for up to 2 s, while an fsync hangs.",
    ),
    Scenario(
        "redis-killed-aof-cut",
        "kill -9 of Redis, and the last second cut off its AOF",
        cut_aof,
        remark="What `appendfsync everysec` may lose in a power cut. Jobs accepted in that second may be unknown"
        " afterwards, and those that ended in it run again; all else is as if it had not been cut.",
    ),
    Scenario(
        "redis-down",
        "Redis away for longer than the lease, slots busy and free; workers reach it again 2 s after the controller",
        redis_down,
        around=through_proxy,
        harmless=True,
        holds_slots_for=lambda pace: pace.outage,
        more_jobs=4 * ROUNDS,
    ),
    Scenario(
        "redis-paused",
        "Redis frozen for 30 s, slots busy and free; workers reach it again 2 s after the controller",
        redis_paused,
        around=through_proxy,
        harmless=True,
        holds_slots_for=lambda pace: pace.pause,
        more_jobs=4 * ROUNDS,
    ),
    Scenario("script-flush", "SCRIPT FLUSH every 0.05 to 0.3 s", flush_scripts, harmless=True, stock=False),
    Scenario(
        "maxmemory",
        "Redis at maxmemory for 4 s, again and again, with jobs running and waiting",
        fill_redis,
        kinds=(Kind(1.0, (0.01, 0.03)),),
        harmless=True,
        check=checks.full_redis_lets_jobs_end,
    ),
    Scenario(
        "broken-connections",
        "connections reset between each step of claim, finish and renewal",
        break_connections,
        harmless=True,
        around=through_proxy,
        check=checks.every_step_was_broken,
        remark="Stock workers log `Couldn't ack` where an acknowledgement breaks, keep the slot of that job taken, and"
        " in the end take no more jobs until somebody restarts them, which nobody does here.",
    ),
    Scenario(
        "reaper-frozen",
        "the controller frozen for longer than the lease, while a worker is killed",
        freeze_reaper,
        kinds=(Kind(0.006, (2.0, 6.0)), SHORT),
        stock=False,
        outage_delays=True,
        remark="Nobody reaps while the controller is frozen, here for 20 s, and then every lease gets a fresh period:"
        " a frozen reaper must not take jobs from workers that are well. Two controllers avoid the wait.",
    ),
    Scenario(
        "scheduler-killed",
        "SIGKILL of the controller every 1 to 3 s; all jobs are due later",
        kill_controllers,
        kinds=(Kind(1.0, (0.0, 0.004), delay=(0.2, 15.0)),),
        harmless=True,
        check=checks.nothing_starts_early,
        stock=False,
    ),
    Scenario(
        "disk-full",
        "the disk for artifacts full for 3 s, again and again; every job writes a file",
        fill_disk,
        kinds=(
            Kind(0.01, (0.3, 3.0), fields={"file_kilobytes": 1}),
            Kind(0.99, (0.0, 0.004), fields={"file_kilobytes": 1}),
        ),
        stock=False,
        harmless=True,
        around=small_disk,
        check=checks.files_are_whole,
        impossible=disk.why_not,
    ),
    Scenario(
        "clock-moved",
        "the wall clock of all processes, Redis too, moved by minutes and hours, forwards and back, every 2 to 4 s",
        move_clocks,
        kinds=(Kind(0.01, (0.3, 3.0)), Kind(0.2, (0.0, 0.004), delay=(0.2, 5.0)), SHORT),
        harmless=True,
        around=own_clock,
        check=checks.nothing_starts_early,
        impossible=clock.why_not,
        remark="Due times are by Redis's clock, leases by the controller's monotonic one. A job due in five minutes is"
        " started at once when Redis's clock jumps by an hour.",
    ),
    Scenario(
        "poison",
        "four jobs that kill their whole worker, among others that have three attempts as well",
        poison,
        kinds=(Kind(0.01, (0.3, 3.0), type="faults.neighbour"), Kind(0.99, (0.0, 0.004), type="faults.neighbour")),
        more_jobs=4,
        check=checks.only_poison_fails,
    ),
)
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
