"""The fault suite's short form: hundreds of jobs, a lease of three seconds. The long form is tests/faults."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults import checks
from tests.faults.chaos import Chaos
from tests.faults.load import Kind
from tests.faults.perform import Form, perform
from tests.faults.proxy import Proxy
from tests.faults.scenarios import Pace, Scenario
from tests.faults.stack import Size, Stack

pytestmark = pytest.mark.integration

SHORT = Form(jobs=300, pace=Pace(submit=5, outage=3.5, pause=3.5), lease=3, await_end=20, margin=15)
PATIENT = replace(SHORT, lease=10)
"""Where no lease is to end: connections break so often that some renewals come late."""

SIZE = Size(workers=2, grace=3.0)


def test_dead_and_frozen_workers_lose_no_job(tmp_path: Path) -> None:
    scenario = Scenario("crashes", "", crash, kinds=(Kind(0.02, (1.0, 2.0)), Kind(1.0)), size=SIZE)
    report = perform(scenario, SHORT, tmp_path)
    assert not report.problems, "\n".join([*report.problems, *report.notes])


def crash(stack: Stack, chaos: Chaos, pace: Pace) -> None:
    chaos.kill_worker(chaos.busy_worker())
    frozen = chaos.freeze_worker(chaos.busy_worker())
    time.sleep(pace.outage)
    chaos.thaw(frozen)
    for _ in range(3):
        chaos.kill_child()
    chaos.kill_parent(chaos.busy_worker())
    chaos.replace_worker()


def test_broken_connections_and_restarts_of_redis_cost_no_attempt(tmp_path: Path) -> None:
    scenario = Scenario(
        "connections",
        "",
        break_everything,
        size=SIZE,
        harmless=True,
        around=through_proxy,
        check=checks.every_step_was_broken,
    )
    report = perform(scenario, PATIENT, tmp_path)
    assert not report.problems, "\n".join([*report.problems, *report.notes])


@contextmanager
def through_proxy(stack: Stack) -> Generator[None]:
    often = {name: (pattern, 8 if every > 8 else 2) for name, (pattern, every) in stack.commands().items()}
    with Proxy(stack.redis.port, often) as proxy:
        stack.proxy = proxy
        yield


def break_everything(stack: Stack, chaos: Chaos, pace: Pace) -> None:
    with chaos.connections_breaking():
        for down in (0.0, 0.5):
            chaos.flush_scripts()
            chaos.pause(1, 1.5)
            chaos.kill_redis(down=down)
        stack.await_end(15)
