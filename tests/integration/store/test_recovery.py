from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from heavylift import operations as ops
from heavylift.model import JobStatus
from heavylift.operations import Outcome
from tests.integration.store.bench import QUEUE, Bench
from tests.waiting import wait_until

pytestmark = pytest.mark.integration


def test_a_lease_that_was_not_renewed_is_taken_back(bench: Bench) -> None:
    job_id = bench.submit()
    bench.claim_one()

    assert bench.reap_all() == ["queued"]
    assert (bench.leases(), bench.events(job_id)) == ([], ["queued", "running", "lost"])
    assert bench.read(job_id).attempts[0].reason == "lease not renewed"


def test_a_lease_renewed_since_it_was_seen_is_left_alone(bench: Bench) -> None:
    bench.submit()
    claim = bench.claim_one()
    seen = bench.leases()
    bench.renew(claim)
    before = bench.dump()

    assert bench.run(ops.reap(bench.keys, QUEUE, seen)) == [""]
    assert bench.dump() == before


def test_a_lease_that_ended_or_changed_hands_since_it_was_seen_is_left_alone(bench: Bench) -> None:
    bench.submit()
    bench.claim_one()
    seen = bench.leases()
    bench.reap_all()
    bench.claim_one("w2")
    before = bench.dump()

    assert bench.run(ops.reap(bench.keys, QUEUE, seen)) == [""]
    assert bench.dump() == before


def test_reaping_counts_a_loss_and_ends_after_the_last_attempt(bench: Bench) -> None:
    job_id = bench.submit(max_attempts=2)
    states = []
    for _ in range(2):
        bench.claim_one()
        states += bench.reap_all()

    assert states == ["queued", "failed"]
    error = bench.read(job_id).error
    assert error
    assert error.type == "lost"


def test_reaping_a_job_asked_to_stop_cancels_it(bench: Bench) -> None:
    job_id = bench.submit()
    bench.claim_one()
    bench.cancel(job_id)

    assert bench.reap_all() == ["cancelled"]


def test_several_leases_are_judged_one_by_one(bench: Bench) -> None:
    for _ in range(3):
        bench.submit()
    claims = bench.claim(slots=3)
    seen = bench.leases()
    bench.renew(claims[1])
    by_uuid = dict(zip([lease.uuid for lease in seen], bench.run(ops.reap(bench.keys, QUEUE, seen)), strict=True))

    assert [by_uuid[claim.id.uuid] for claim in claims] == ["queued", "", "queued"]


def test_reaping_wakes_a_worker(bench: Bench) -> None:
    bench.submit()
    bench.claim_one()
    while bench.take_token():
        pass

    bench.reap_all()

    assert bench.tokens() == 1


def test_a_due_job_is_queued_once(bench: Bench) -> None:
    job_id = bench.submit(run_in=0.05)
    assert bench.claim() == []

    wait_until(lambda: bench.release_due().count == 1, what="the due time")

    assert bench.release_due() == (0, None)
    assert bench.claim_one().id == job_id
    assert bench.events(job_id) == ["scheduled", "queued", "running"]


def test_due_jobs_are_released_in_parts_and_the_next_is_named(bench: Bench) -> None:
    for _ in range(3):
        bench.submit(run_in=20)
    bench.submit(run_in=60)
    due, soon = bench.keys.due(QUEUE), (datetime.now(UTC) + timedelta(seconds=30)).timestamp() * 1000
    for uuid in bench.ask("ZRANGEBYSCORE", due, 0, soon):
        bench.redis.zadd(due, {uuid: 1})

    first = bench.release_due(limit=2)
    second = bench.release_due(limit=2)

    assert first == (2, timedelta(0))
    assert second.count == 1
    assert second.next_in
    assert timedelta(seconds=50) < second.next_in <= timedelta(seconds=60)


def test_a_job_that_expired_before_it_was_due_ends(bench: Bench) -> None:
    job_id = bench.submit(run_in=0.01, expires_in=0.005)

    wait_until(lambda: bench.release_due().count == 1, what="the due time")

    assert bench.status(job_id) == JobStatus.EXPIRED
    assert bench.claim() == []


def test_a_finished_job_is_forgotten_when_its_retention_is_over(bench: Bench) -> None:
    job_id = bench.submit(retention=0)
    bench.finish(bench.claim_one())
    kept = bench.run(ops.read_kept_until(bench.keys, QUEUE, datetime.now(UTC) + timedelta(seconds=1)))

    assert kept == [job_id.uuid]
    assert bench.forget(job_id) == 1
    assert bench.run(ops.read_job(bench.keys, job_id)) is None
    assert bench.run(ops.list_jobs(bench.keys, QUEUE)) == []
    assert bench.forget(job_id) == 0


def test_a_finished_job_is_kept_for_its_retention(bench: Bench) -> None:
    job_id = bench.submit(retention=60)
    bench.finish(bench.claim_one())

    assert bench.run(ops.read_kept_until(bench.keys, QUEUE, datetime.now(UTC))) == []
    assert bench.forget(job_id) == 0
    assert bench.status(job_id) == JobStatus.SUCCEEDED


def test_no_unfinished_job_is_forgotten(bench: Bench) -> None:
    running = bench.submit(retention=0)
    bench.claim_one()
    replayed = bench.submit(retention=60)
    bench.finish(bench.claim_one(), Outcome.FAILED)
    bench.replay(replayed)
    scheduled = bench.submit(retention=0, run_in=60)
    before = bench.dump()

    assert bench.forget(running, replayed, scheduled) == 0
    assert bench.dump() == before


def test_a_job_past_its_retention_is_not_replayed_since_its_files_may_be_gone(bench: Bench) -> None:
    job_id = bench.submit(retention=0)
    bench.finish(bench.claim_one(), Outcome.FAILED)

    assert bench.replay(job_id) == JobStatus.FAILED
    assert bench.forget(job_id) == 1


def test_a_waiting_job_expires_without_any_worker(bench: Bench) -> None:
    job_id = bench.submit(expires_in=0.01)

    wait_until(lambda: bench.release_due().count == 1, what="the start deadline")

    assert bench.status(job_id) == JobStatus.EXPIRED
    assert bench.claim() == []


def test_a_job_that_was_started_in_time_keeps_its_other_attempts(bench: Bench) -> None:
    job_id = bench.submit(expires_in=0.05)
    bench.finish(bench.claim_one(), Outcome.RETRYING)

    wait_until(lambda: (bench.read(job_id).expires_at or datetime.now(UTC)) < datetime.now(UTC), what="its deadline")
    bench.release_due()

    assert bench.claim_one().attempt == 2


def test_a_forgotten_jobs_message_is_skipped(bench: Bench) -> None:
    gone, there = bench.submit(retention=0), bench.submit()
    bench.cancel(gone)
    bench.forget(gone)

    assert [claim.id for claim in bench.claim(slots=5)] == [there]
