"""The auditor must find what is wrong: each kind of damage is done to a store that was right, and has to be told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis

from heavylift.ids import new_job_id
from heavylift.operations import Claimant, Ending, Outcome, Submission, claim, finish, submit
from heavylift.settings import Settings
from heavylift.store import Store
from heavylift_worker.outcome import stillborn
from tests.faults import journal
from tests.faults.audit import BASE, audit
from tests.faults.chaos import Chaos, Hit
from tests.faults.journal import Run, overlap
from tests.faults.report import Report
from tests.faults.stack import Size, Stack
from tests.faults.work import QUEUE, TYPES

pytestmark = pytest.mark.integration


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """A stack without workers; two jobs have been run in it. One was lost once; a process died before it began one."""
    stack = Stack(tmp_path, Size())
    stack.redis.start()
    monkeypatch.setenv(journal.JOURNAL, str(stack.journal))
    try:
        store = Store.from_settings(Settings(redis_url=stack.redis.url))
        run_two_jobs(store, tmp_path / "producer-1.accepted")
        store.close()
        yield stack
    finally:
        stack.close()


def run_two_jobs(store: Store, accepted: Path) -> None:
    items = [Submission(new_job_id(QUEUE), TYPES["faults.work"], b"{}") for _ in range(2)]
    store.run(submit(store.keys, QUEUE, items))
    accepted.write_text("".join(f"{item.id} 1.0 0.0\n" for item in items))
    lost = Ending(Outcome.LOST, reason="its process died")
    unborn = replace(stillborn(1), delay=timedelta(0))
    for number, bad_end in enumerate([lost, unborn, None, None]):
        claimant = Claimant("worker-1", "boot")
        [taken] = store.run(claim(store.keys, QUEUE, claimant, number=number, slots=1, busy=0))
        if bad_end is not unborn:
            with journal.attempt(str(taken.id)) as notes:
                pass
        ending = bad_end or Ending(Outcome.SUCCEEDED, output=json.dumps({"token": notes.token}).encode())
        store.run(finish(store.keys, taken.id, taken.token, ending, attempt=taken.attempt, worker="worker-1"))


def judged(stack: Stack, *, explained: bool = True) -> Report:
    chaos = Chaos(stack)
    if explained:
        with stack.redis.client() as client:
            seconds, micros = client.time()
        chaos.hits.append(Hit(seconds + micros / 1e6 - chaos.wall_offset, "worker-1"))
    report = Report("test", "test", limit=5.0)
    audit(stack, chaos, report)
    return report


def test_a_store_that_is_right_passes(stack: Stack) -> None:
    report = judged(stack)
    assert report.problems == [], report.notes
    assert (report.accepted, report.ended, report.losses, report.repeated) == (2, 2, 2, 1)


def test_a_loss_that_no_fault_explains_is_told(stack: Stack) -> None:
    assert judged(stack, explained=False).problems == ["2 attempts taken from workers that no fault had hit"]


Damage = Callable[[Any, str], object]


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda r, uuid: r.delete(f"{BASE}job:{uuid}"), "1 accepted jobs that are not in the store"),
        (
            lambda r, uuid: r.rpush(f"{BASE}events:{uuid}", json.dumps({"event": "succeeded", "at": 1})),
            "1 jobs that ended twice in the store",
        ),
        (
            lambda r, uuid: r.hincrby(f"{BASE}job:{uuid}", "attempts", 1),
            "1 jobs whose attempts or losses do not add up",
        ),
        (
            lambda r, uuid: r.hincrby(f"{BASE}job:{uuid}", "losses", 1),
            "1 jobs whose attempts or losses do not add up",
        ),
        (lambda r, uuid: r.zrem(f"{BASE}succeeded", uuid), "1 jobs whose attempts or losses do not add up"),
        (
            lambda r, uuid: r.hset(f"{BASE}job:{uuid}", "output", '{"token":"none"}'),
            "1 jobs whose attempts or losses do not add up",
        ),
        (lambda r, uuid: r.hset(f"{BASE}leases", uuid, "token"), "1 entries left in flight"),
        (lambda r, uuid: r.lpush(QUEUE, "message"), "1 entries left in flight"),
    ],
    ids=["forgotten", "ended twice", "attempts", "losses", "index", "output of no run", "lease", "message"],
)
def test_damage_is_told(damage: Damage, told: str, stack: Stack) -> None:
    with stack.redis.client() as client:
        damage(client, stack.accepted()[1].job.partition("-")[2])
    assert judged(stack).problems == [told]


def test_an_open_job_is_told(stack: Stack) -> None:
    uuid = stack.accepted()[1].job.partition("-")[2]
    with stack.redis.client() as client:
        move_to_running(client, uuid)
    problems = judged(stack).problems
    assert "1 accepted jobs that did not end" in problems


def move_to_running(client: redis.Redis, uuid: str) -> None:
    client.hset(f"{BASE}job:{uuid}", "status", "running")
    client.zrem(f"{BASE}succeeded", uuid)
    client.zadd(f"{BASE}running", {uuid: 1})


def run(started: float, last: float) -> Run:
    return Run("token", "job", 1, 2, started, last)


def test_runs_overlap_when_one_starts_before_another_was_last_heard_of() -> None:
    assert overlap([run(0, 5), run(1, 2)])
    assert overlap([run(0, 5), run(1, 2), run(3, 4)])
    assert not overlap([run(0, 1), run(1, 2)])


def test_slow_recovery_is_told() -> None:
    report = Report("test", "test", worst=20.1)
    report.judge()
    assert report.problems == ["running again only after 20.1 s (limit 20 s)"]
