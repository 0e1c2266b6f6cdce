from __future__ import annotations

import json
import uuid
from datetime import timedelta

import pytest
from celery import Celery

from heavylift import operations as ops
from heavylift.model import JobStatus, Priority, RetryPolicy
from heavylift.operations import LeaseState, Outcome
from tests.integration.store.bench import QUEUE, Bench

pytestmark = pytest.mark.integration

UNREADABLE = [b"", b"no json", b"[1, 2]", b'{"headers": null}', b'{"headers": {"id": 5, "task": "x"}}', b"\xff\x00\x80"]


def test_jobs_are_claimed_by_priority_and_then_in_order(bench: Bench) -> None:
    order = [Priority.IDLE, Priority.NORMAL, Priority.BULK, Priority.LOW, Priority.NORMAL, Priority.IDLE]
    ids = [bench.submit(priority=priority) for priority in order]

    claimed = [claim.id for claim in bench.claim(slots=6)]

    assert claimed == [ids[at] for at in (1, 4, 3, 2, 0, 5)]


def test_a_claim_gives_what_the_worker_needs(bench: Bench) -> None:
    job_id = bench.submit()

    claim = bench.claim_one()

    assert (claim.id, claim.type, claim.attempt, claim.alone) == (job_id, "video.transcode", 1, False)
    assert claim.input == b'{"n":12345678901234567890,"empty":[]}'
    job = bench.read(job_id)
    assert (job.status, job.attempts[0].worker) == (JobStatus.RUNNING, "w1")
    assert [lease.token for lease in bench.leases()] == [claim.token]


def test_no_two_claims_get_one_job_or_one_token(bench: Bench) -> None:
    for _ in range(6):
        bench.submit()

    claims = [*bench.claim("w1", slots=2), *bench.claim("w2", slots=3), *bench.claim("w3", slots=3)]

    assert len(claims) == 6
    assert len({claim.id for claim in claims}) == len({claim.token for claim in claims}) == 6
    assert bench.claim() == []


def test_a_cancelled_job_is_skipped(bench: Bench) -> None:
    first, second = bench.submit(), bench.submit()
    bench.cancel(first)

    assert bench.claim_one().id == second
    assert bench.status(first) == JobStatus.CANCELLED


def test_many_skipped_jobs_take_several_claims_and_keep_a_token(bench: Bench) -> None:
    cancelled = [bench.submit() for _ in range(250)]
    last = bench.submit()
    for job_id in cancelled:
        bench.cancel(job_id)
    bench.take_token()

    assert bench.claim() == []
    assert bench.tokens() == 1
    assert bench.claim_one().id == last


def test_a_job_that_expired_while_it_waited_ends(bench: Bench) -> None:
    job_id = bench.submit(expires_in=-1)

    assert bench.claim() == []
    assert bench.status(job_id) == JobStatus.EXPIRED
    assert bench.events(job_id) == ["queued", "expired"]


def test_a_job_that_expires_later_is_claimed(bench: Bench) -> None:
    job_id = bench.submit(expires_in=60)

    assert bench.claim_one().id == job_id


def stock_producer(url: str) -> Celery:
    app = Celery(broker=url)
    app.conf.broker_transport_options = {"queue_order_strategy": "priority"}
    return app


def test_a_stock_producers_job_is_adopted_and_runs_like_any_other(bench: Bench, redis_url: str) -> None:
    with stock_producer(redis_url) as app:
        sent = app.send_task("video.transcode", args=["a.mp4"], kwargs={"height": 720}, queue=QUEUE, priority=6)

    claim = bench.claim_one()

    assert (claim.id, claim.type, claim.attempt, claim.input) == ((QUEUE, sent.id), "video.transcode", 1, None)
    assert bench.read(claim.id).priority == Priority.BULK
    assert bench.events(claim.id) == ["queued", "running"]
    bench.finish(claim, Outcome.RETRYING)
    bench.release_due()
    again = bench.claim_one()
    assert (again.id, again.attempt, again.message) == (claim.id, 2, claim.message)
    assert bench.finish(again).status == JobStatus.SUCCEEDED


def test_a_stock_message_that_comes_twice_runs_once(bench: Bench, redis_url: str) -> None:
    task_id = str(uuid.uuid4())
    with stock_producer(redis_url) as app:
        for _ in range(2):
            app.send_task("video.transcode", queue=QUEUE, task_id=task_id)

    (claim,) = bench.claim(slots=5)
    bench.finish(claim)

    assert bench.claim(slots=5) == []
    assert bench.status(claim.id) == JobStatus.SUCCEEDED


@pytest.mark.parametrize("message", UNREADABLE)
def test_an_unreadable_message_is_put_aside_and_stops_nobody(bench: Bench, message: bytes) -> None:
    bench.redis.lpush(QUEUE, message)
    job_id = bench.submit()

    assert bench.claim_one().id == job_id
    assert bench.unreadable() == [message]


def test_a_job_whose_keys_are_of_a_foreign_type_stops_nobody(bench: Bench) -> None:
    broken, sound = bench.submit(), bench.submit()
    name = bench.keys.events(*broken)
    kept = bench.ask("LRANGE", name, 0, -1)
    bench.redis.delete(name)
    bench.redis.set(name, "a foreign thing")

    assert bench.claim_one().id == sound
    (message,) = bench.unreadable()

    bench.redis.delete(name)  # a person mends it and puts the message back
    bench.redis.rpush(name, *kept)
    bench.redis.rpush(QUEUE, message)
    assert bench.claim_one().id == broken


def test_a_job_lost_twice_runs_alone(bench: Bench) -> None:
    suspect = bench.submit(max_attempts=9)
    bench.run_down(suspect, 2)
    first, second = bench.submit(), bench.submit()

    assert [claim.id for claim in bench.claim("busy", busy=1)] == [first], "a suspect must not stop its queue"
    (claim,) = bench.claim("idle", slots=4)
    assert (claim.id, claim.alone, claim.attempt) == (suspect, True, 3)
    assert bench.tokens() == 1, "others must hear of the work that this worker left"
    assert [claim.id for claim in bench.claim("busy", busy=1)] == [second]


def test_a_suspect_is_found_when_nothing_else_waits(bench: Bench) -> None:
    suspect = bench.submit(max_attempts=9)
    bench.run_down(suspect, 2)

    assert bench.claim("busy", busy=1) == []
    assert bench.claim("busy", busy=1) == []
    assert bench.claim_one().id == suspect


def test_a_suspect_that_was_cancelled_is_skipped(bench: Bench) -> None:
    suspect, other = bench.submit(max_attempts=9), bench.submit()
    bench.run_down(suspect, 2)
    bench.claim("busy", busy=1, slots=2)
    bench.cancel(suspect)

    assert bench.claim("idle") == []
    assert bench.status(other) == JobStatus.RUNNING


@pytest.mark.parametrize("task_id", ["", "a b", "a\x00b", "x" * 201, "\udcff", "../../x"])
def test_a_stock_message_with_an_id_that_is_no_name_is_put_aside(bench: Bench, task_id: str) -> None:
    message = json.dumps({"headers": {"id": task_id, "task": "a.task"}, "body": ""}).encode()
    raw = message.replace(b"\\udcff", b"\xff")
    bench.redis.lpush(QUEUE, raw)
    good = bench.submit()

    assert [claim.id for claim in bench.claim(slots=2)] == [good]
    assert bench.redis.lrange(f"{bench.keys.base(QUEUE)}unreadable", 0, -1) == [raw]


def test_what_is_put_aside_is_bounded(bench: Bench) -> None:
    bench.redis.lpush(QUEUE, *[b"no message"] * 1100)
    for _ in range(8):
        bench.claim()

    assert bench.redis.llen(f"{bench.keys.base(QUEUE)}unreadable") == 1000


def test_an_adopted_job_has_the_attempts_and_retention_of_its_type(bench: Bench) -> None:
    info = bench.submission().info.model_copy(
        update={"type": "a.task", "retry": RetryPolicy(max_attempts=1), "retention": timedelta(hours=1)}
    )
    bench.run(ops.publish_types(bench.keys, [info]))
    bench.redis.lpush(QUEUE, json.dumps({"headers": {"id": "abc", "task": "a.task"}, "body": ""}))

    claim = bench.claim_one()

    assert bench.read(claim.id).max_attempts == 1
    assert bench.redis.hget(bench.keys.job(*claim.id), "retain") == b"3600000"


def test_a_suspect_is_not_taken_behind_another_job_of_the_same_claim(bench: Bench) -> None:
    suspect = bench.submit(max_attempts=9, priority=Priority.LOW)
    bench.run_down(suspect, 2)
    normal = bench.submit()

    assert [claim.id for claim in bench.claim(slots=4)] == [normal]
    assert bench.claim("idle")[0].id == suspect


def test_a_failed_attempt_is_no_loss(bench: Bench) -> None:
    job_id = bench.submit(max_attempts=9)
    for _ in range(3):
        bench.finish(bench.claim_one(), Outcome.RETRYING)
        bench.release_due()

    assert bench.claim_one().alone is False
    assert bench.read(job_id).attempts[-1].number == 4


def test_a_submit_leaves_one_token_and_many_submits_no_more(bench: Bench) -> None:
    assert bench.tokens() == 0
    bench.submit()
    bench.submit()

    assert bench.tokens() == 1


def test_a_claim_that_leaves_work_behind_leaves_a_token_and_one_that_empties_the_queue_none(bench: Bench) -> None:
    bench.submit()
    bench.submit()
    bench.take_token()

    bench.claim()
    assert bench.take_token()
    bench.claim()
    assert not bench.take_token()


def test_a_scheduled_job_wakes_nobody_until_it_is_due(bench: Bench) -> None:
    bench.submit(run_in=60)

    assert bench.tokens() == 0


def test_renewal_names_who_must_stop_who_lost_and_who_has_ended(bench: Bench) -> None:
    for _ in range(4):
        bench.submit()
    fine, asked, lost, ended = bench.claim(slots=4)
    bench.cancel(asked.id)
    bench.reap(lost)
    bench.finish(ended)

    states = bench.renew(fine, asked, lost, ended)

    assert states == [LeaseState.RENEWED, LeaseState.STOP, LeaseState.LOST, LeaseState.ENDED]
    assert {lease.uuid: lease.beats for lease in bench.leases()} == {fine.id.uuid: 1, asked.id.uuid: 1}
