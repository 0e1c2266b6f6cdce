"""This machine as a platform: what it sees, what it orders, and what it refuses."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from heavylift import operations as ops
from heavylift.operations import local
from heavylift.operations.local import LocalOrder, LocalProcess, LocalReport
from heavylift.settings import Settings
from heavylift.store import Store
from heavylift_controller.local import LocalPlatform
from heavylift_controller.local.leadership import PERIOD, LocalLeadership
from heavylift_controller.scaler.platform import PlatformError, Scaled, Sight, Stage
from tests.fixtures_redis import RedisServer

pytestmark = pytest.mark.integration

STARTED = 1000.0


class Stack:
    """What a development stack says, without its processes."""

    def __init__(self, url: str) -> None:
        self.store = Store.from_settings(Settings(redis_url=url))
        self.keys = self.store.keys

    def order(self, replicas: int, *first: str) -> None:
        self.store.run(local.reset_order(self.keys, "default", LocalOrder(replicas, first)))

    def report(self, replicas: int, *processes: LocalProcess, at: float | None = None) -> None:
        report = LocalReport(at or time.time(), LocalOrder(replicas), processes)
        self.store.run(local.report_processes(self.keys, "default", report))

    def worker(self, name: str, *, booted_at: float, paused: bool = False) -> None:
        report = ops.WorkerReport("default", "b", 1, ("q",), paused, 1, booted_at, "0")
        self.store.run(ops.report_worker(self.keys, name, report))


def process(name: str, *, up: bool = True, restarts: int = 0, leaving: bool = False) -> LocalProcess:
    return LocalProcess(name, STARTED, STARTED, up, restarts, leaving)


@pytest.fixture
def stack(redis_url: str) -> Iterator[Stack]:
    stack = Stack(redis_url)
    yield stack
    stack.store.close()


@pytest.fixture
def platform(stack: Stack) -> LocalPlatform:
    """A platform that leads."""
    platform = LocalPlatform(stack.store)
    assert platform.leadership.epoch() == 1
    return platform


def seen(platform: LocalPlatform) -> Sight:
    return platform.look_again("default")


def test_processes_are_seen_as_far_as_they_are(stack: Stack, platform: LocalPlatform) -> None:
    stack.order(5, "d")
    stack.worker("a", booted_at=STARTED + 1)
    stack.worker("b", booted_at=STARTED - 1)
    stack.worker("d", booted_at=STARTED + 1, paused=True)
    stack.report(5, process("a"), process("b"), process("c", up=False, restarts=2), process("d"), process("e"))
    stages = {pod.name: (pod.stage, pod.ready) for pod in seen(platform).pods}
    assert stages == {
        "a": (Stage.RUNNING, True),
        "b": (Stage.STARTING, False),  # the report is of the process before
        "c": (Stage.FAILING, False),
        "d": (Stage.RUNNING, False),
        "e": (Stage.STARTING, False),
    }
    assert [pod.name for pod in seen(platform).pods if pod.cost is not None] == ["d"]


def test_what_was_ordered_is_settled_once_as_many_stay(stack: Stack, platform: LocalPlatform) -> None:
    stack.order(1)
    stack.report(2, process("a"), process("b"))
    assert not seen(platform).settled
    stack.report(1, process("a"), process("b"))
    assert not seen(platform).settled
    stack.report(1, process("a"), process("b", leaving=True))
    assert seen(platform).settled


def test_an_old_report_is_as_old_as_it_is(stack: Stack, platform: LocalPlatform) -> None:
    stack.order(1)
    stack.report(1, process("a"), at=time.time() - 60)
    assert seen(platform).read_ago == pytest.approx(60, abs=5)


def test_a_number_is_ordered_if_it_is_still_the_one_that_was_seen(stack: Stack, platform: LocalPlatform) -> None:
    stack.order(1)
    stack.report(1, process("a"))
    assert platform.scale("default", current=2, to=3) is Scaled.CHANGED
    assert platform.scale("default", current=1, to=3) is Scaled.DONE
    assert seen(platform).replicas == 3


def test_no_number_is_ordered_that_would_end_a_worker_who_may_stay(stack: Stack, platform: LocalPlatform) -> None:
    stack.order(2)
    stack.report(2, process("a"), process("b"))
    assert platform.scale("default", current=2, to=1) is Scaled.REFUSED
    platform.mark("default", ["gone"])
    assert platform.scale("default", current=2, to=1) is Scaled.REFUSED
    platform.mark("default", ["b"])
    platform.unmark("default", ["b"])
    assert platform.scale("default", current=2, to=1) is Scaled.REFUSED
    platform.mark("default", ["b"])
    assert platform.scale("default", current=2, to=0) is Scaled.REFUSED
    assert platform.scale("default", current=2, to=1) is Scaled.DONE
    assert stack.store.run(local.read_orders(stack.keys)) == {"default": LocalOrder(1, ("b",))}


def test_more_than_a_machine_bears_are_refused(stack: Stack, platform: LocalPlatform) -> None:
    stack.order(1)
    stack.report(1, process("a"))
    assert platform.scale("default", current=1, to=1000) is Scaled.REFUSED


def test_who_lost_the_lead_orders_nothing(stack: Stack, platform: LocalPlatform) -> None:
    stack.order(1)
    stack.report(1, process("a"))
    stack.store.redis.delete(f"{stack.keys.local}leader")
    assert LocalLeadership(stack.store).epoch() == 2
    with pytest.raises(PlatformError, match="another controller leads"):
        platform.scale("default", current=1, to=2)
    assert seen(platform).replicas == 1


def test_a_pool_that_nobody_runs_is_an_error(platform: LocalPlatform) -> None:
    assert platform.look() == {}
    with pytest.raises(PlatformError, match="nobody runs"):
        platform.scale("default", current=1, to=2)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_one_leads_until_its_time_is_over_and_the_next_has_a_higher_number(stack: Stack) -> None:
    clock = Clock()
    first, second = (LocalLeadership(stack.store, clock=clock) for _ in range(2))
    assert (first.epoch(), second.epoch()) == (1, None)
    clock.now = PERIOD - 1
    assert first.left() == pytest.approx(1)
    assert (first.epoch(), first.left()) == (1, PERIOD)
    clock.now += PERIOD
    stack.store.redis.delete(f"{stack.keys.local}leader")  # as Redis does by its own clock
    assert second.epoch() == 2
    assert (first.epoch(), first.left()) == (None, 0)


def test_a_controller_that_ends_lets_the_next_one_lead_at_once(stack: Stack, platform: LocalPlatform) -> None:
    other = LocalLeadership(stack.store)
    assert other.epoch() is None
    platform.close()
    assert platform.leadership.left() == 0
    assert LocalLeadership(stack.store).epoch() == 2
    platform.close()
    assert LocalLeadership(stack.store).epoch() is None


def test_a_lead_that_cannot_be_renewed_ends_by_itself(redis_server: RedisServer) -> None:
    clock = Clock()
    leadership = LocalLeadership(Store.from_settings(Settings(redis_url=redis_server.url)), clock=clock)
    assert leadership.epoch() == 1
    redis_server.kill()
    clock.now = PERIOD - 1
    assert (leadership.epoch(), leadership.left()) == (1, pytest.approx(1))
    clock.now = PERIOD
    assert leadership.epoch() is None
