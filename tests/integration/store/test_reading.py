from __future__ import annotations

import random

import pytest

from heavylift import operations as ops
from heavylift.ids import new_job_id, parse_job_id
from heavylift.model import JobStatus, Priority
from heavylift.operations import Outcome
from heavylift.settings import Settings
from heavylift.store import AsyncStore
from tests.integration.store.bench import QUEUE, Bench

pytestmark = pytest.mark.integration


def pages(bench: Bench, limit: int, status: JobStatus | None = None) -> list[str]:
    found: list[str] = []
    before = None
    while page := bench.run(ops.list_jobs(bench.keys, QUEUE, status=status, before=before, limit=limit)):
        found += [job.id for job in page]
        before = ops.cursor_of(page[-1])
    return found


@pytest.mark.parametrize("limit", [1, 3, 100])
def test_pages_have_neither_gaps_nor_repeats(bench: Bench, limit: int) -> None:
    batch = [bench.submission(priority=priority) for priority in list(Priority) * 5]  # of one millisecond
    bench.run(ops.submit(bench.keys, QUEUE, batch))
    for submission in batch[::3]:
        bench.cancel(submission.id)
    bench.submit(run_in=60)
    bench.claim(slots=3)

    found = pages(bench, limit)

    assert len(found) == len(set(found)) == 21
    created = [bench.read(parsed).created_at for parsed in map(parse_job_id, found)]
    assert created == sorted(created, reverse=True)


def test_jobs_that_move_between_pages_are_seen_once(bench: Bench) -> None:
    ids = [str(bench.submit()) for _ in range(12)]
    found: list[str] = []
    before = None
    while page := bench.run(ops.list_jobs(bench.keys, QUEUE, before=before, limit=3)):
        found += [job.id for job in page]
        before = ops.cursor_of(page[-1])
        bench.finish(bench.claim_one(), random.choice([Outcome.SUCCEEDED, Outcome.FAILED, Outcome.LOST]))

    assert sorted(found) == sorted(ids)


def test_one_state_is_listed(bench: Bench) -> None:
    bench.submit()
    bench.submit()
    running = bench.claim_one().id

    assert pages(bench, 10, JobStatus.RUNNING) == [str(running)]
    assert len(pages(bench, 10, JobStatus.QUEUED)) == 1
    assert pages(bench, 10, JobStatus.FAILED) == []


def test_a_waiting_jobs_position_counts_who_goes_first(bench: Bench) -> None:
    low = bench.submit(priority=Priority.LOW)
    first, second = bench.submit(), bench.submit()

    positions = [bench.read(job_id).position for job_id in (first, second, low)]

    assert sorted(positions[:2], key=str) == [0, 1]  # either order, if they came in one millisecond
    assert positions[2] == 2
    claim = bench.claim_one()
    assert bench.read(claim.id).position is None


def test_events_after_a_point(bench: Bench) -> None:
    job_id = bench.submit()
    bench.finish(bench.claim_one())

    page = bench.run(ops.read_events(bench.keys, job_id, after=1))

    assert page
    assert [(event.id, event.event) for event in page.events] == [(2, "running"), (3, "succeeded")]
    assert page.status == JobStatus.SUCCEEDED
    assert bench.run(ops.read_events(bench.keys, new_job_id(QUEUE))) is None


def test_a_queues_state_counts_jobs_not_messages(bench: Bench) -> None:
    bench.cancel(bench.submit())
    oldest = bench.submit(priority=Priority.IDLE)
    bench.submit()
    bench.submit(run_in=60)
    bench.redis.zincrby(bench.keys.index(QUEUE, JobStatus.QUEUED), -5000, oldest.uuid)
    bench.redis.hincrby(bench.keys.job(*oldest), "created", -5000)

    state = bench.run(ops.queue_state(bench.keys, QUEUE))

    assert (state.waiting, state.running, state.scheduled, state.dead) == (2, 0, 1, 0)
    assert 5 <= state.oldest_age_seconds < 10


def test_a_stock_producers_messages_wait_before_anybody_adopted_them(bench: Bench) -> None:
    bench.cancel(bench.submit())
    bench.redis.lpush(QUEUE, b"one", b"two")
    bench.submit()

    assert bench.run(ops.queue_state(bench.keys, QUEUE)).waiting == 3
    bench.claim(slots=1)
    assert bench.run(ops.queue_state(bench.keys, QUEUE)).waiting == 0


def test_an_empty_queue_has_no_age(bench: Bench) -> None:
    state = bench.run(ops.queue_state(bench.keys, QUEUE))

    assert (state.waiting, state.oldest_age_seconds) == (0, 0.0)


async def test_the_awaiting_door_reads_the_same(bench: Bench, redis_url: str) -> None:
    store = AsyncStore.from_settings(Settings(redis_url=redis_url))
    submission = bench.submission()
    try:
        await store.run(ops.submit(store.keys, QUEUE, [submission]))
        assert await store.run(ops.read_job(store.keys, submission.id)) == bench.read(submission.id)
        assert await store.run(ops.list_jobs(store.keys, QUEUE)) == bench.run(ops.list_jobs(bench.keys, QUEUE))
        claim = bench.claim_one()
        assert await store.run(ops.read_leases(store.keys, QUEUE)) == bench.leases()
        bench.finish(claim)
    finally:
        await store.aclose()


def test_published_types_are_read_back_and_replaced_by_name(bench: Bench) -> None:
    info = bench.submission().info
    other = info.model_copy(update={"type": "audio.mix", "queue": "audio"})
    bench.run(ops.publish_types(bench.keys, [info, other]))
    bench.run(ops.publish_types(bench.keys, [info.model_copy(update={"description": "new"})]))
    bench.run(ops.publish_types(bench.keys, []))

    types = bench.run(ops.read_types(bench.keys))

    assert list(types) == ["audio.mix", "video.transcode"]
    assert types["video.transcode"].description == "new"
    assert bench.run(ops.read_queues(bench.keys)) == {"audio", QUEUE}
