"""The supervisor's thread beside children of the test's own: what it kills, and when."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from heavylift import operations as ops
from heavylift.ids import JobId
from heavylift.operations import Claim, Claimant, Ending, Outcome
from heavylift_worker import supervisor as module
from heavylift_worker.attempt import Bench
from heavylift_worker.desk import Desk
from heavylift_worker.registry import Registry
from heavylift_worker.settings import WorkerSettings
from heavylift_worker.supervisor import Supervisor
from tests.fixtures_redis import RedisServer
from tests.fixtures_worker import SAMPLE_JOBS, Jobs
from tests.waiting import wait_until

pytestmark = pytest.mark.integration


@dataclass
class Office:
    """A desk and its supervisor; the test is the event loop, and starts the children."""

    jobs: Jobs
    desk: Desk
    supervisor: Supervisor
    children: list[subprocess.Popen] = field(default_factory=list)

    def hold(self, name: str = "hold", **fields: object) -> tuple[Claim, subprocess.Popen]:
        """Claim a new job and have a child that hears nothing run it."""
        job_id = self.jobs.submit(name, **fields)
        claim = self.claim(job_id)
        command = [sys.executable, "-S", "-c", "import time; time.sleep(60)"]
        child = subprocess.Popen(command, process_group=0)
        self.children.append(child)
        assert self.desk.started(str(job_id), claim.token, child.pid)
        return claim, child

    def claim(self, job_id: JobId) -> Claim:
        store, first = self.jobs.store, self.desk.reserve_numbers(1)
        call = ops.claim(store.keys, job_id.queue, self.desk.claimant, number=first, slots=1, busy=self.desk.held())
        [claim] = store.run(call)
        assert claim.id == job_id
        self.desk.take(claim)
        return claim

    def finish(self, claim: Claim, outcome: Outcome) -> None:
        """End the attempt in the store, unseen by the supervisor."""
        store, ending = self.jobs.store, Ending(outcome)
        call = ops.finish(store.keys, claim.id, claim.token, ending, attempt=claim.attempt, worker="worker-1")
        assert store.run(call).first


@pytest.fixture
def office(own_jobs: Jobs, redis_server: RedisServer, tmp_path: Path) -> Iterator[Office]:
    settings = WorkerSettings(
        redis_url=redis_server.url,
        artifacts_url=f"file://{tmp_path}/artifacts",
        worker_name="worker-1",
        heartbeat_interval=timedelta(seconds=0.2),
    )
    bench = Bench(settings, Registry.load((SAMPLE_JOBS,)), tmp_path)
    desk = Desk(Claimant("worker-1", "boot"), slots=3)
    office = Office(own_jobs, desk, Supervisor(bench, desk, on_empty=lambda: None, on_resume=lambda: None))
    yield office
    if office.supervisor.is_alive():
        office.supervisor.close()
    guard = bench.guard._process
    guard.kill()
    guard.wait()
    for child in office.children:
        child.kill()
        child.wait()


def _killed(child: subprocess.Popen) -> Callable[[], bool]:
    return lambda: child.poll() == -signal.SIGKILL


def test_a_child_is_killed_whose_job_its_own_worker_has_claimed_again(office: Office, tmp_path: Path) -> None:
    lost, child = office.hold(folder=tmp_path)
    assert office.jobs.reap() == ["queued"]
    again = office.claim(lost.id)
    office.supervisor.start()

    wait_until(_killed(child), what="the end of the lost attempt's child")
    assert [each.claim for each in office.desk.snapshot()] == [again]


def test_a_child_is_killed_though_the_reply_to_its_end_was_lost(office: Office, tmp_path: Path) -> None:
    claim, child = office.hold(folder=tmp_path)
    office.desk.end(str(claim.id), claim.token, Ending(Outcome.RELEASED))
    office.desk.send_end(str(claim.id), claim.token)
    office.finish(claim, Outcome.RELEASED)
    office.supervisor.start()

    wait_until(_killed(child), what="the end of the child")
    assert office.desk.empty()


def test_a_child_that_hangs_after_its_job_is_killed(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CLEAN_UP_TIME", timedelta(seconds=1))
    claim, child = office.hold(folder=tmp_path)
    office.finish(claim, Outcome.SUCCEEDED)
    office.supervisor.start()
    wait_until(lambda: office.desk.snapshot()[0].ended, what="the supervisor to hear of the end")

    assert child.poll() is None, "it had no time to clean up"
    wait_until(_killed(child), what="the end of the child")
    assert office.desk.empty()


def test_a_queue_whose_keys_are_broken_harms_no_other(office: Office, tmp_path: Path) -> None:
    broken, _ = office.hold("hold_b", folder=tmp_path)
    lost, child = office.hold(folder=tmp_path)
    office.jobs.redis.delete(office.jobs.store.keys.beats("sample_b"))
    office.jobs.redis.set(office.jobs.store.keys.beats("sample_b"), "no hash")
    office.desk.end(str(broken.id), broken.token, Ending(Outcome.RELEASED))
    office.desk.end(str(lost.id), lost.token, Ending(Outcome.RELEASED))
    office.supervisor.start()

    wait_until(_killed(child), what="the end of the other queue's job")
    assert office.jobs.status(lost.id) == "queued"
    assert office.jobs.status(broken.id) == "running"


def test_a_process_that_began_ends_the_row_of_those_that_did_not(office: Office) -> None:
    endings = [office.supervisor.stillbirth(f"sample.{n}") for n in range(10)]
    office.supervisor.began("sample.of-another-kind")

    assert [each.outcome for each in endings] == [Outcome.RELEASED] * 9 + [Outcome.LOST]
    assert office.supervisor.stillbirth("sample.new") == endings[0]


def test_a_job_whose_processes_never_begin_has_an_end_though_others_begin_beside_it(office: Office) -> None:
    outcomes = []
    for _ in range(10):
        outcomes.append(office.supervisor.stillbirth("sample.poison").outcome)
        office.supervisor.began("sample.healthy")

    assert outcomes == [Outcome.RELEASED] * 9 + [Outcome.LOST]
    office.supervisor.began("sample.poison")
    assert office.supervisor.stillbirth("sample.poison").outcome is Outcome.RELEASED


def test_a_newer_workers_job_types_stay(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0)
    redis, types = office.jobs.redis, office.jobs.store.keys.types
    redis.hset(types, "sample.add", "an older worker's")
    office.supervisor.start()
    wait_until(lambda: redis.hget(types, "sample.add") != b"an older worker's", what="its own types")
    redis.hset(types, "sample.add", "a newer worker's")
    redis.hdel(types, "sample.note")

    wait_until(lambda: redis.hexists(types, "sample.note"), what="what is missing")
    assert redis.hget(types, "sample.add") == b"a newer worker's"


def test_a_draining_worker_publishes_no_job_types(office: Office) -> None:
    office.supervisor.drain(grace=60)
    with office.jobs.redis.pubsub() as listener:
        listener.psubscribe("*worker.heartbeat*")
        office.supervisor.start()
        wait_until(
            lambda: any(each and each["type"] == "pmessage" for each in [listener.get_message(timeout=0.1)]),
            what="its word to Flower",
        )

    assert not office.jobs.redis.exists(office.jobs.store.keys.types)
