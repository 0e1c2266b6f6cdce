"""Our messages against the ones celery 5.7 itself puts into a real Redis."""

from __future__ import annotations

import base64
from typing import Any

import celery
import kombu
import orjson
import pytest
import redis

from heavylift.constants import Keys
from heavylift.envelope import message
from heavylift.ids import new_job_id
from heavylift.model import Priority

QUEUE = "video"
TASK = "video.transcode"

OUR_OWN_VALUES = {
    ("headers", "heavylift"): "the job's id, first of all, so that the claim script finds it without decoding JSON",
    ("headers", "origin"): "no `gen` before the process id: we are no Celery producer",
    ("headers", "ignore_result"): "results live in the store",
    ("properties", "reply_to"): "nobody waits for a reply",
    ("properties", "delivery_tag"): "the job's id: what a worker acknowledges",
}
"""Where ours differs on purpose, beside ids and blanks in the body's JSON."""


@pytest.fixture
def theirs(redis_url: str) -> dict[str, Any]:
    with celery.Celery(broker=redis_url) as app:
        app.send_task(TASK, queue=QUEUE)
    with redis.Redis.from_url(redis_url) as client:
        return orjson.loads(client.execute_command("RPOP", QUEUE))


@pytest.fixture
def ours() -> dict[str, Any]:
    return orjson.loads(message(new_job_id(QUEUE), TASK, Priority.NORMAL))


def test_the_release_compared_with_is_the_one_we_run() -> None:
    assert celery.__version__ == kombu.__version__ == "5.7.0"


def test_the_parts_are_celerys(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    assert ours.keys() == theirs.keys()
    assert ours["headers"].keys() - {"heavylift"} == theirs["headers"].keys()
    assert ours["properties"].keys() == theirs["properties"].keys()


@pytest.mark.parametrize("part", ["headers", "properties"])
def test_the_values_are_celerys_where_we_do_not_say_otherwise(
    ours: dict[str, Any], theirs: dict[str, Any], part: str
) -> None:
    def blanked(values: dict[str, Any], own_id: str) -> dict[str, Any]:
        known = {name: value for name, value in values.items() if (part, name) not in OUR_OWN_VALUES}
        return {name: "its id" if value == own_id else value for name, value in known.items()}

    mine, stock = ours["headers"]["id"], theirs["headers"]["id"]
    assert blanked(ours[part], mine) == blanked(theirs[part], stock)


def test_the_differences_listed_are_still_differences(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    same = [
        (part, name) for part, name in OUR_OWN_VALUES if ours[part][name] == theirs[part].get(name, "not there at all")
    ]

    assert same == []


def test_the_body_says_the_same(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    mine, stock = (orjson.loads(base64.b64decode(each["body"])) for each in (ours, theirs))

    assert mine == stock
    assert (ours["content-type"], ours["content-encoding"]) == (theirs["content-type"], theirs["content-encoding"])


@pytest.mark.parametrize("priority", Priority)
def test_a_stock_consumer_reads_it(redis_url: str, priority: Priority) -> None:
    job_id = new_job_id(QUEUE)
    name = Keys().lists(QUEUE)[priority // 3]
    with redis.Redis.from_url(redis_url) as client:
        client.lpush(name, message(job_id, TASK, priority))

    with kombu.Connection(redis_url) as connection, connection.SimpleQueue(QUEUE) as queue:
        received = queue.get(timeout=5)
        received.ack()

    assert received.headers["id"] == received.properties["correlation_id"] == str(job_id)
    assert received.headers["task"] == TASK
    assert received.properties["priority"] == priority
    assert received.decode() == [[], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]


def test_a_name_with_quotes_stays_one_string() -> None:
    decoded = orjson.loads(message(new_job_id(QUEUE), 'a"b\\c', Priority.LOW))

    assert decoded["headers"]["task"] == 'a"b\\c'
