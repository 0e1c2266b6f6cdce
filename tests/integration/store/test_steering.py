from __future__ import annotations

import pytest

from heavylift import operations as ops
from heavylift.ids import new_job_id
from heavylift.model import JobStatus
from heavylift.operations import Outcome
from tests.integration.store.bench import QUEUE, Bench

pytestmark = pytest.mark.integration


def test_a_waiting_job_is_cancelled_at_once(bench: Bench) -> None:
    job_id = bench.submit()

    assert bench.cancel(job_id) == JobStatus.CANCELLED
    assert bench.events(job_id) == ["queued", "cancelled"]


def test_a_scheduled_job_is_cancelled_at_once_and_never_due(bench: Bench) -> None:
    job_id = bench.submit(run_in=0.001)

    assert bench.cancel(job_id) == JobStatus.CANCELLED
    assert bench.release_due() == (0, None)


def test_a_job_that_waits_for_its_retry_is_cancelled_at_once(bench: Bench) -> None:
    job_id = bench.submit()
    bench.finish(bench.claim_one(), Outcome.RETRYING, delay=60)

    assert bench.cancel(job_id) == JobStatus.CANCELLED


def test_a_running_job_is_asked_once(bench: Bench) -> None:
    job_id = bench.submit()
    claim = bench.claim_one()

    assert [bench.cancel(job_id), bench.cancel(job_id)] == [JobStatus.RUNNING, JobStatus.RUNNING]
    assert bench.events(job_id) == ["queued", "running", "cancel_requested"]
    assert bench.read(job_id).cancel_requested
    assert bench.finish(claim, Outcome.CANCELLED).first


@pytest.mark.parametrize("outcome", [Outcome.SUCCEEDED, Outcome.FAILED, Outcome.CANCELLED])
def test_a_finished_job_stays_as_it_ended(bench: Bench, outcome: Outcome) -> None:
    job_id = bench.submit()
    bench.finish(bench.claim_one(), outcome)
    before = bench.dump()

    assert bench.cancel(job_id) == JobStatus(outcome)
    assert bench.dump() == before


def test_an_expired_job_stays_expired(bench: Bench) -> None:
    job_id = bench.submit(expires_in=-1)
    bench.claim()

    assert bench.cancel(job_id) == JobStatus.EXPIRED
    assert bench.replay(job_id) == JobStatus.EXPIRED


def test_an_unknown_job_is_neither_cancelled_nor_replayed(bench: Bench) -> None:
    unknown = new_job_id(QUEUE)

    assert bench.cancel(unknown) is None
    assert bench.replay(unknown) is None
    assert bench.dump() == {}


def test_a_failed_job_is_replayed_with_all_its_attempts(bench: Bench) -> None:
    job_id = bench.submit(max_attempts=2)
    bench.run_down(job_id, 2)

    assert bench.replay(job_id) == JobStatus.QUEUED

    job = bench.read(job_id)
    assert (job.status, job.error, job.finished_at) == (JobStatus.QUEUED, None, None)
    claim = bench.claim_one()
    assert (claim.attempt, claim.alone) == (1, False)
    assert bench.finish(claim).status == "succeeded"
    assert bench.events(job_id)[5:] == ["queued", "running", "succeeded"]
    assert [attempt.number for attempt in bench.read(job_id).attempts] == [1, 2, 1]


def test_a_replayed_job_that_expired_meanwhile_runs(bench: Bench) -> None:
    job_id = bench.submit(expires_in=0.2)
    bench.finish(bench.claim_one(), Outcome.FAILED)
    bench.ask("HSET", bench.keys.job(*job_id), "expires", 1)

    bench.replay(job_id)

    assert bench.claim_one().id == job_id


@pytest.mark.parametrize("outcome", [Outcome.SUCCEEDED, Outcome.CANCELLED])
def test_only_a_failed_job_is_replayed(bench: Bench, outcome: Outcome) -> None:
    job_id = bench.submit()
    assert bench.replay(job_id) == JobStatus.QUEUED
    claim = bench.claim_one()
    assert bench.replay(job_id) == JobStatus.RUNNING
    bench.finish(claim, outcome)
    before = bench.dump()

    assert bench.replay(job_id) == JobStatus(outcome)
    assert bench.dump() == before


def test_a_replay_wakes_a_worker(bench: Bench) -> None:
    job_id = bench.submit()
    bench.finish(bench.claim_one(), Outcome.FAILED)
    while bench.take_token():
        pass

    bench.replay(job_id)

    assert bench.tokens() == 1


def test_who_follows_a_job_is_told(bench: Bench) -> None:
    job_id = bench.submit()
    with bench.redis.pubsub(ignore_subscribe_messages=True) as pubsub:
        pubsub.subscribe(bench.keys.told(*job_id))
        pubsub.get_message(timeout=5)
        bench.cancel(job_id)
        hint = pubsub.get_message(timeout=5)

    assert hint
    assert hint["data"] == b"2"
    page = bench.run(ops.read_events(bench.keys, job_id, after=1))
    assert page
    assert [(event.id, event.event) for event in page.events] == [(2, "cancelled")]
