"""What the scripts do when Redis forgot them, is full, is away, or holds keys that are not ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from redis import exceptions

from heavylift import operations as ops
from heavylift.errors import StoreUnavailable
from heavylift.model import JobStatus, Priority, Progress
from heavylift.operations import Lease, LeaseState, Outcome
from heavylift.settings import Settings
from heavylift.store import AsyncStore, Call
from tests.fixtures_redis import RedisServer
from tests.integration.store.bench import QUEUE, Bench
from tests.integration.store.invariants import Picture, contradictions

pytestmark = pytest.mark.integration


def test_scripts_that_redis_forgot_are_loaded_again(bench: Bench) -> None:
    job_id = bench.submit()
    bench.ask("SCRIPT", "FLUSH")

    assert bench.claim_one().id == job_id


async def test_the_awaiting_door_loads_forgotten_scripts_too(bench: Bench, redis_url: str) -> None:
    store = AsyncStore.from_settings(Settings(redis_url=redis_url))
    bench.ask("SCRIPT", "FLUSH")
    try:
        await store.run(ops.submit(store.keys, QUEUE, [bench.submission()]))
    finally:
        await store.aclose()

    assert len(bench.claim(slots=5)) == 1


@pytest.fixture
def full(bench: Bench) -> Iterator[Bench]:
    """A queue in a Redis that takes no more: two running jobs, a waiting, a failed and a due one."""
    for _ in range(4):
        bench.submit()
    claims = bench.claim(slots=4)
    bench.finish(claims[3], Outcome.FAILED)
    bench.finish(claims[2], Outcome.RETRYING)
    bench.submit()
    bench.ask("CONFIG", "SET", "maxmemory", "1")
    yield bench
    bench.ask("CONFIG", "SET", "maxmemory", "0")


def test_a_full_redis_refuses_a_submit_whole(full: Bench) -> None:
    before = full.dump()

    with pytest.raises(StoreUnavailable, match="maxmemory"):
        full.submit()
    with pytest.raises(StoreUnavailable, match="maxmemory"):
        full.submit(run_in=60)

    assert full.dump() == before


def test_a_full_redis_still_lets_running_work_go_on_and_end(full: Bench) -> None:
    first, second = full.leases()
    running = [lease.uuid for lease in (first, second)]
    assert full.run(ops.renew(full.keys, QUEUE, [first[:2], second[:2]])) == [LeaseState.RENEWED] * 2
    claim = full.claim_one()
    assert full.finish(claim, output=b"1").status == "succeeded"
    assert full.release_due().count == 1
    assert full.finish(full.claim_one(), Outcome.LOST).status == "queued"
    assert full.finish(full.claim_one(), Outcome.RELEASED).status == "queued"
    assert full.cancel(full.claim_one().id) == JobStatus.RUNNING
    (cancelled,) = [lease for lease in full.leases() if lease.uuid not in running]
    assert full.run(ops.reap(full.keys, QUEUE, [cancelled])) == ["cancelled"]
    (failed,) = full.run(ops.list_jobs(full.keys, QUEUE, status=JobStatus.FAILED))
    assert list(contradictions(Picture(full))) == []
    assert failed.error


def test_a_full_redis_refuses_reports_and_the_lease_stays(full: Bench) -> None:
    claim = full.claim_one()

    progress = Progress(done=1, at=datetime.now(UTC))
    with pytest.raises(StoreUnavailable, match="maxmemory"):
        full.run(ops.report_progress(full.keys, claim.id, claim.token, progress))

    assert full.renew(claim) == [LeaseState.RENEWED]


def test_a_redis_that_is_away_is_unavailable_and_comes_back(redis_server: RedisServer) -> None:
    bench = Bench(redis_server.url)
    job_id = bench.submit()
    redis_server.stop()

    with pytest.raises(StoreUnavailable):
        bench.claim()
    redis_server.start()

    assert bench.claim_one().id == job_id
    bench.store.close()


def test_a_redis_that_hangs_is_unavailable_within_the_timeout(redis_server: RedisServer) -> None:
    bench = Bench(redis_server.url)
    bench.submit()
    redis_server.pause()
    try:
        with pytest.raises(StoreUnavailable):
            bench.claim()
    finally:
        redis_server.resume()
    bench.store.close()


def test_a_replica_is_unavailable(redis_server: RedisServer) -> None:
    bench = Bench(redis_server.url)
    bench.submit()
    bench.ask("REPLICAOF", "127.0.0.1", "1")

    with pytest.raises(StoreUnavailable, match=r"(?i)read ?only"):
        bench.submit()
    bench.store.close()


async def test_a_refusal_within_a_pipeline_is_understood(redis_server: RedisServer) -> None:
    store = AsyncStore.from_settings(Settings(redis_url=redis_server.url))
    await store.redis.config_set("min-replicas-to-write", 1)
    try:
        with pytest.raises(StoreUnavailable, match="NOREPLICAS"):
            await store.run(Call([("SET", "key", "value"), ("GET", "key")], lambda replies: replies))
    finally:
        await store.aclose()


def test_a_redis_that_cannot_save_is_unavailable(redis_server: RedisServer) -> None:
    bench = Bench(redis_server.url)
    bench.ask("CONFIG", "SET", "min-replicas-to-write", "1")

    with pytest.raises(StoreUnavailable, match="NOREPLICAS"):
        bench.submit()
    bench.store.close()


class Scene:
    """A queue with a job in every state a script starts from."""

    def __init__(self, url: str) -> None:
        self.bench = bench = Bench(url)
        bench.ask("FLUSHALL")
        self.failed, self.done, self.due = bench.submit(), bench.submit(retention=0), bench.submit()
        endings = (Outcome.FAILED, Outcome.SUCCEEDED, Outcome.RETRYING)
        for claim, outcome in zip(bench.claim(slots=3), endings, strict=True):
            bench.finish(claim, outcome)
        bench.submit()
        self.claim = bench.claim_one()
        self.waiting = bench.submit()
        self.asked = bench.submission()
        self.later = bench.submission(priority=Priority.IDLE, run_in=60, expires_in=90)

    def names(self) -> dict[str, str]:
        """Return the keys a script may meet."""
        keys = self.bench.keys
        base = keys.base(QUEUE)
        plain = {
            name: f"{base}{name}"
            for name in (*JobStatus, "due", "expiring", "kept", "leases", "beats", "wake", "unreadable")
        }
        lists = {f"list {at}": name for at, name in enumerate(keys.lists(QUEUE))}
        jobs = {
            "waiting": self.waiting,
            "running": self.claim.id,
            "failed": self.failed,
            "due": self.due,
            "asked": self.asked.id,
        }
        records = {f"record of {name}": keys.job(*job_id) for name, job_id in jobs.items()}
        return {**plain, **lists, **records, **{f"events of {n}": keys.events(*job_id) for n, job_id in jobs.items()}}


OPERATIONS: dict[str, tuple[Callable[[Scene], object], set[str]]] = {
    "submit": (
        lambda scene: scene.bench.run(ops.submit(scene.bench.keys, QUEUE, [scene.asked, scene.later])),
        {"queued", "scheduled", "due", "expiring", "wake", "list 0", "list 3", "record of asked", "events of asked"},
    ),
    "claim": (
        lambda scene: scene.bench.claim("w2", slots=5),
        {"queued", "running", "expired", "kept", "leases", "beats", "wake", "list 0", "list 3", "unreadable"},
    ),
    **{
        f"finish as {outcome}": (
            lambda scene, outcome=outcome: scene.bench.finish(scene.claim, outcome),
            {"running", "leases", "beats", "record of running", "events of running", *indexes},
        )
        for outcome, indexes in {
            Outcome.SUCCEEDED: ("succeeded", "kept"),
            Outcome.FAILED: ("failed", "kept"),
            Outcome.CANCELLED: ("cancelled", "kept"),
            Outcome.RETRYING: ("scheduled", "due"),
            Outcome.LOST: ("queued", "failed", "cancelled", "kept", "wake", "list 0"),
            Outcome.RELEASED: ("queued", "scheduled", "due", "wake", "list 0"),
        }.items()
    },
    "cancel a waiting job": (
        lambda scene: scene.bench.cancel(scene.waiting),
        {"queued", "cancelled", "kept", "due", "record of waiting", "events of waiting"},
    ),
    "cancel a running job": (
        lambda scene: scene.bench.cancel(scene.claim.id),
        {"record of running", "events of running"},
    ),
    "replay": (
        lambda scene: scene.bench.replay(scene.failed),
        {"failed", "queued", "kept", "wake", "list 0", "record of failed", "events of failed"},
    ),
    "reap": (
        lambda scene: scene.bench.run(
            ops.reap(scene.bench.keys, QUEUE, [Lease(*scene.claim.id[1:], scene.claim.token, 0)])
        ),
        {"running", "queued", "leases", "beats", "wake", "list 0", "record of running", "events of running"},
    ),
    "release what is due": (
        lambda scene: scene.bench.release_due(),
        {"scheduled", "queued", "due", "expiring", "wake", "list 0", "record of due", "events of due"},
    ),
    "forget": (
        lambda scene: scene.bench.forget(scene.failed, scene.done),
        {"kept", "succeeded", "failed", "record of failed"},
    ),
}


def refusal(operate: Callable[[Scene], object], scene: Scene) -> str | None:
    try:
        operate(scene)
    except exceptions.ResponseError as error:
        return str(error)
    return None


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_key_of_a_foreign_type_stops_a_script_before_it_writes(redis_url: str, operation: str) -> None:
    operate, touched = OPERATIONS[operation]
    stopped = set()
    for name in Scene(redis_url).names():
        scene = Scene(redis_url)
        scene.bench.ask("SET", scene.names()[name], "a foreign thing")
        before = scene.bench.dump()
        if error := refusal(operate, scene):
            stopped.add(name)
            assert "WRONGTYPE" in error, name
            assert scene.bench.dump() == before, name
        scene.bench.store.close()

    assert stopped >= touched
