"""Messages that stock Celery sent to our queues, and messages that nobody should send."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from celery import Celery, signature

from heavylift.constants import IDLE_LOOK_INTERVAL
from heavylift.ids import JobId
from tests.fixtures_redis import RedisServer
from tests.fixtures_worker import Jobs, promised
from tests.waiting import wait_until

pytestmark = pytest.mark.integration


class Producer:
    """A stock Celery app that has never heard of us."""

    def __init__(self, jobs: Jobs, url: str) -> None:
        self.jobs = jobs
        self.app = Celery("stock", broker=url, set_as_current=False)

    def send(self, name: str, *args: object, **options: Any) -> JobId:
        sent = self.app.send_task(name, args, queue="sample", **options)
        self.jobs.wake()
        return JobId("sample", sent.id)

    def known(self, job_id: JobId) -> bool:
        return bool(self.jobs.redis.exists(self.jobs.store.keys.job(*job_id)))


@pytest.fixture
def producer(jobs: Jobs, worker_redis: RedisServer) -> Iterator[Producer]:
    producer = Producer(jobs, worker_redis.url)
    yield producer
    producer.app.close()


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [((2, 3), {}), ((2,), {"b": 3}), ((), {"a": 2, "b": 3}), (({"a": 2, "b": 3},), {})],
)
def test_arguments_become_the_input(jobs: Jobs, producer: Producer, args: tuple[object, ...], kwargs: dict) -> None:
    job_id = producer.send("sample.add", *args, kwargs=kwargs)
    wait_until(lambda: producer.known(job_id), what="the adoption")

    job = jobs.ended(job_id)
    assert (job.status, job.output) == ("succeeded", {"value": 5})


def test_a_message_without_a_wake_token_is_found_by_looking(jobs: Jobs, producer: Producer) -> None:
    job_id = JobId("sample", producer.app.send_task("sample.add", [1], queue="sample").id)

    wait_until(lambda: producer.known(job_id), IDLE_LOOK_INTERVAL.total_seconds() + promised(1), what="the adoption")


def test_a_countdown_is_waited_for_in_redis(jobs: Jobs, producer: Producer) -> None:
    job_id = producer.send("sample.add", 1, countdown=1)
    wait_until(lambda: producer.known(job_id) and jobs.status(job_id) == "scheduled", what="the wait")
    job = jobs.ended(job_id)

    assert [each.outcome for each in job.attempts] == ["released", "succeeded"]
    assert job.attempts[1].started_at - job.attempts[0].started_at > timedelta(seconds=0.5)
    assert job.attempts[1].number == 1, "the wait counted as an attempt"


def test_what_came_too_late_is_not_run(jobs: Jobs, producer: Producer) -> None:
    job_id = producer.send("sample.add", 1, expires=datetime.now(UTC) - timedelta(seconds=1))
    wait_until(lambda: producer.known(job_id), what="the adoption")

    job = jobs.ended(job_id)
    assert job.error
    assert (job.status, job.error.type) == ("failed", "expired")


@pytest.mark.parametrize(
    ("args", "options", "words"),
    [
        ((1,), {"serializer": "pickle"}, "set task_serializer='json'"),
        ((1,), {"link": signature("sample.add", (2,))}, "carries a Celery link"),
        ((1,), {"chain": [signature("sample.add", (2,))]}, "carries a Celery chain"),
        ((1, 2, 3), {}, "3 positional arguments for the 2 fields"),
        (("one",), {}, "a: Input should be a valid integer"),
        ((), {"kwargs": {}}, "a: Field required"),
    ],
)
def test_what_fits_no_input_fails_once_with_the_remedy(
    jobs: Jobs, producer: Producer, args: tuple[object, ...], options: dict, words: str
) -> None:
    job_id = producer.send("sample.add", *args, **options)
    wait_until(lambda: producer.known(job_id), what="the adoption")

    job = jobs.ended(job_id)
    assert job.error
    assert (job.status, job.error.type, len(job.attempts)) == ("failed", "invalid_input", 1)
    assert words in job.error.message


def test_an_unknown_type_is_offered_again_later_and_counted(jobs: Jobs, producer: Producer) -> None:
    job_id = producer.send("sample.of_tomorrow", 1)
    wait_until(lambda: producer.known(job_id) and jobs.status(job_id) == "scheduled", what="the refusal")

    job = jobs.job(job_id)
    assert [(each.number, each.outcome) for each in job.attempts] == [(1, "retrying")]
    assert job.error
    assert job.error.type == "unknown_type"
    assert "check its --jobs and image" in job.error.message


def test_any_plain_task_id_will_do(jobs: Jobs, producer: Producer) -> None:
    for task_id in ("my-task", "x", "nightly_report7of8-for-all-our-films", str(uuid.uuid4())):
        job_id = producer.send("sample.add", 1, task_id=task_id)
        wait_until(lambda job_id=job_id: producer.known(job_id), what="the adoption")
        assert [each.outcome for each in jobs.ended(job_id).attempts] == ["succeeded"]


_BODY = base64.b64encode(b'[[1], {}, {"callbacks": null}]').decode()
_GOOD: dict[str, Any] = {
    "headers": {"task": "sample.add"},
    "content-type": "application/json",
    "content-encoding": "utf-8",
    "body": _BODY,
    "properties": {"body_encoding": "base64"},
}


@pytest.mark.parametrize(
    "bad",
    [
        {"properties": None},
        {"properties": []},
        {"body": None},
        {"body": 5},
        {"body": "not base64"},
        {"body": base64.b64encode(b"not json").decode()},
        {"body": base64.b64encode(b'{"a": 1}').decode()},
        {"body": base64.b64encode(b"[1, 2, 3]").decode()},
        {"content-type": None},
        {"headers": {"eta": "tomorrow"}},
        {"headers": {"expires": 5}},
        {"headers": {"expires": "0001-01-01T00:00:00-23:00"}},
    ],
    ids=str,
)
def test_a_malformed_message_fails_its_job_and_nothing_else(jobs: Jobs, bad: dict[str, Any]) -> None:
    job_id = JobId("sample", str(uuid.uuid4()))
    headers = {**_GOOD["headers"], "id": job_id.uuid, **bad.get("headers", {})}
    jobs.redis.lpush("sample", json.dumps({**_GOOD, **bad, "headers": headers}))
    jobs.wake()
    wait_until(lambda: jobs.redis.exists(jobs.store.keys.job(*job_id)), what="the adoption")
    assert jobs.ended(job_id).status == "failed"
    assert jobs.run("add", a=1).status == "succeeded"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "not json",
        '{"headers": {}}',
        '{"headers": {"id": 5}}',
        '{"headers": {"id": "Ümläut 1", "task": "sample.add"}}',
    ],
)
def test_what_is_no_message_is_put_aside(jobs: Jobs, text: str) -> None:
    unreadable = jobs.store.keys.base("sample") + "unreadable"
    before = jobs.redis.llen(unreadable)
    jobs.redis.lpush("sample", text)

    assert jobs.run("add", a=1).status == "succeeded"
    wait_until(lambda: jobs.redis.llen(unreadable) == before + 1, what="the message to be put aside")
