from __future__ import annotations

import pytest

from heavylift import operations as ops
from heavylift.errors import QueueFull
from heavylift.model import JobStatus, Priority
from tests.integration.store.bench import QUEUE, Bench

pytestmark = pytest.mark.integration


def test_a_submitted_job_waits_with_its_input_as_sent(bench: Bench) -> None:
    submission = bench.submission(priority=Priority.LOW, max_attempts=5)

    (submitted,) = bench.run(ops.submit(bench.keys, QUEUE, [submission]))

    job = bench.read(submission.id)
    assert submitted == (submission.id, True, job.created_at.timestamp() * 1000)
    assert (job.status, job.priority, job.max_attempts) == (JobStatus.QUEUED, Priority.LOW, 5)
    assert job.input == {"n": 12345678901234567890, "empty": []}
    assert bench.events(submission.id) == ["queued"]


def test_a_submit_beyond_the_bound_writes_nothing(bench: Bench) -> None:
    bench.submit()
    before = bench.dump()

    with pytest.raises(QueueFull, match="video"):
        bench.run(ops.submit(bench.keys, QUEUE, [bench.submission(), bench.submission()], bound=2))

    assert bench.dump() == before


def test_a_submit_up_to_the_bound_is_accepted(bench: Bench) -> None:
    bench.submit()

    bench.run(ops.submit(bench.keys, QUEUE, [bench.submission(), bench.submission()], bound=3))

    assert bench.run(ops.queue_state(bench.keys, QUEUE)).waiting == 3


def test_scheduled_jobs_count_towards_the_bound(bench: Bench) -> None:
    bench.submit(run_in=60)

    with pytest.raises(QueueFull):
        bench.run(ops.submit(bench.keys, QUEUE, [bench.submission(run_in=60)], bound=1))


def test_a_repeated_submit_changes_nothing_even_at_the_bound(bench: Bench) -> None:
    batch = [bench.submission(), bench.submission()]
    bench.run(ops.submit(bench.keys, QUEUE, batch, bound=2))
    before = bench.dump()

    repeated = bench.run(ops.submit(bench.keys, QUEUE, batch, bound=2))

    assert [submitted.created for submitted in repeated] == [False, False]
    assert bench.dump() == before


def test_a_half_repeated_submit_adds_only_what_is_new(bench: Bench) -> None:
    old, new = bench.submission(), bench.submission()
    bench.run(ops.submit(bench.keys, QUEUE, [old]))

    results = bench.run(ops.submit(bench.keys, QUEUE, [old, new], bound=2))

    assert [submitted.created for submitted in results] == [False, True]


def test_one_id_twice_in_a_batch_is_one_job(bench: Bench) -> None:
    submission = bench.submission()

    results = bench.run(ops.submit(bench.keys, QUEUE, [submission, submission]))

    assert [submitted.created for submitted in results] == [True, False]
    assert len(bench.claim(slots=5)) == 1


def test_a_job_for_later_is_scheduled_and_one_for_the_past_queued(bench: Bench) -> None:
    later, past = bench.submit(run_in=60), bench.submit(run_in=-60)

    assert (bench.status(later), bench.status(past)) == (JobStatus.SCHEDULED, JobStatus.QUEUED)
    assert bench.claim_one().id == past
    assert bench.claim() == []


def test_ten_thousand_jobs_are_one_submit(bench: Bench) -> None:
    batch = [bench.submission() for _ in range(10_000)]

    results = bench.run(ops.submit(bench.keys, QUEUE, batch))

    assert sum(submitted.created for submitted in results) == 10_000
    assert bench.tokens() == 1


def test_what_no_place_is_left_for_is_told_one_by_one(bench: Bench) -> None:
    old, first, second, third = (bench.submission() for _ in range(4))
    bench.run(ops.submit(bench.keys, QUEUE, [old]))

    results = bench.run(ops.submit_each(bench.keys, QUEUE, [first, second, third, old], bound=3))

    outcomes = [submitted and (submitted.id, submitted.created) for submitted in results]
    assert outcomes == [(first.id, True), (second.id, True), None, (old.id, False)]
    assert bench.read(second.id).status == JobStatus.QUEUED
    assert bench.run(ops.read_statuses(bench.keys, QUEUE, [old.id.uuid, third.id.uuid])) == [JobStatus.QUEUED, None]
