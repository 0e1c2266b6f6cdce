"""The pools over HTTP: what the leading controller has published, and orders to it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import orjson
import pytest

from heavylift import operations as ops
from heavylift_controller.scaler.status import Change, PoolStatus, dump
from tests.integration.api.conftest import Api, Worker
from tests.unit.api.test_api_keys import entry

pytestmark = pytest.mark.integration

ORDERS = ("release", "pause", "resume", "freeze-in", "freeze-out", "thaw")


def publish(worker: Worker, *names: str, age: float = 0.0, **fields: object) -> None:
    """Publish pools as a controller does, decided `age` seconds ago."""
    at = worker.store.run(ops.read_clock()) - age
    facts = {
        "queues": ("video",),
        "waiting": 40,
        "running": 3,
        "oldest_age_seconds": 2.5,
        "current": 3,
        "desired": 12,
        "ready": 2,
        "draining": ("w-1",),
        "limiter": "slo",
        "reason": "12 workers instead of 3: as many begin the waiting jobs in time.",
        "decided_at": at,
        "inputs": {"waiting": 40, "boot_seconds": None},
        "terms": {"backlog": 12},
        "last": (Change(at - 60, 1, 3, "before"),),
        **fields,
    }
    statuses = {name: dump(PoolStatus(pool=name, **facts)) for name in names}  # ty: ignore[invalid-argument-type]
    worker.store.run(ops.publish_pools(worker.keys, statuses))


def orders(worker: Worker) -> dict[str, dict]:
    """Return the newest order about each pool."""
    found = worker.store.run(ops.read_steering(worker.keys))
    return {
        pool: max(map(orjson.loads, texts.values()), key=lambda order: order["at"]) for pool, texts in found.items()
    }


def test_without_a_controller_that_scales_there_are_no_pools(api: httpx.Client) -> None:
    assert api.get("/v1/pools").json() == {"items": []}
    problem = api.get("/v1/pools/video").json()
    assert (problem["status"], problem["type"]) == (404, "urn:heavylift:problem:unknown-pool")
    assert "scaling is off" in problem["detail"]


def test_pools_are_listed_by_name_and_shown_with_their_record(api: httpx.Client, worker: Worker) -> None:
    publish(worker, "video", "images")
    items = api.get("/v1/pools").json()["items"]
    assert [item["pool"] for item in items] == ["images", "video"]
    pool = api.get("/v1/pools/video").json()
    assert (pool["waiting"], pool["current"], pool["desired"], pool["draining"]) == (40, 3, 12, ["w-1"])
    assert (pool["stale"], pool["held_by"], pool["hold_until"]) == (False, "", None)
    assert abs(datetime.fromisoformat(pool["decided_at"]) - datetime.now(UTC)) < timedelta(seconds=20)
    assert (pool["inputs"], pool["terms"]) == ({"waiting": 40, "boot_seconds": None}, {"backlog": 12})
    [change] = pool["last"]
    assert (change["from"], change["to"], change["reason"]) == (1, 3, "before")
    assert "last" not in items[0]


@pytest.mark.parametrize(("age", "stale"), [(0.5, False), (4.0, False), (6.0, True), (3600.0, True)])
def test_what_was_decided_long_ago_is_no_longer_current(
    api: httpx.Client, worker: Worker, age: float, stale: bool
) -> None:
    publish(worker, "video", age=age)
    pool = api.get("/v1/pools/video").json()
    assert pool["stale"] is stale
    assert pool["age_seconds"] == pytest.approx(age, abs=0.9)


def test_a_status_that_cannot_be_read_hides_no_other(api: httpx.Client, worker: Worker) -> None:
    publish(worker, "video")
    worker.store.run(ops.publish_pools(worker.keys, {"a": b"{", "b": b'{"decided_at": "x"}', "c": b"[]"}))
    assert [item["pool"] for item in api.get("/v1/pools").json()["items"]] == ["video"]


def test_a_hold_is_left_for_the_controller(api: httpx.Client, worker: Worker) -> None:
    publish(worker, "video")
    answer = api.post("/v1/pools/video:hold", json={"replicas": 5})
    assert (answer.status_code, answer.json()["pool"]) == (202, "video")
    order = orders(worker)["video"]
    assert order.pop("at") == pytest.approx(time.time(), abs=20)
    assert order == {"action": "hold", "replicas": 5, "until": None, "by": "local"}


def test_a_hold_ends_after_a_time_or_at_a_moment(api: httpx.Client, worker: Worker) -> None:
    publish(worker, "video")
    assert api.post("/v1/pools/video:hold", json={"replicas": 0, "for": 60}).status_code == 202
    order = orders(worker)["video"]
    assert order["until"] - order["at"] == pytest.approx(60)
    until = datetime.now(UTC) + timedelta(hours=2)
    assert api.post("/v1/pools/video:hold", json={"replicas": 0, "until": until.isoformat()}).status_code == 202
    assert orders(worker)["video"]["until"] == pytest.approx(until.timestamp())


@pytest.mark.parametrize("action", ORDERS)
def test_every_other_order_needs_no_body(api: httpx.Client, worker: Worker, action: str) -> None:
    publish(worker, "video")
    assert api.post(f"/v1/pools/video:{action}").status_code == 202
    order = orders(worker)["video"]
    assert (order["action"], order["by"], set(order)) == (action, "local", {"action", "by", "at"})


def test_orders_about_different_matters_do_not_replace_each_other(api: httpx.Client, worker: Worker) -> None:
    publish(worker, "video")
    api.post("/v1/pools/video:hold", json={"replicas": 5})
    for action in ("hold", "pause", "freeze-in", "freeze-out"):
        assert api.post(f"/v1/pools/video:{action}", json={"replicas": 6}).status_code == 202
    texts = worker.store.run(ops.read_steering(worker.keys))["video"]
    assert {orjson.loads(text)["action"] for text in texts.values()} == {"hold", "pause", "freeze-in", "freeze-out"}
    for action in ("release", "resume", "thaw"):
        assert api.post(f"/v1/pools/video:{action}").status_code == 202
    texts = worker.store.run(ops.read_steering(worker.keys))["video"]
    assert {orjson.loads(text)["action"] for text in texts.values()} == {"release", "resume", "thaw"}


@pytest.mark.parametrize("action", ["hold", *ORDERS])
def test_an_order_about_an_unknown_pool_names_those_there_are(api: httpx.Client, worker: Worker, action: str) -> None:
    publish(worker, "video", "images")
    problem = api.post(f"/v1/pools/vidoe:{action}", json={"replicas": 1}).json()
    assert (problem["status"], problem["known_pools"]) == (404, ["images", "video"])
    assert orders(worker) == {}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/replicas"),
        ({"replicas": -1}, "/replicas"),
        ({"replicas": 10_001}, "/replicas"),
        ({"replicas": 1.5}, "/replicas"),
        ({"replicas": 1, "for": 0}, "/for"),
        ({"replicas": 1, "for": 1e12}, "/for"),
        ({"replicas": 1, "until": "2030-01-01T00:00:00"}, "/until"),
        ({"replicas": 1, "until": "2020-01-01T00:00:00Z"}, "/until"),
        ({"replicas": 1, "until": "9999-01-01T00:00:00Z"}, "/until"),
        ({"replicas": 1, "for": 60, "until": "2030-01-01T00:00:00Z"}, ""),
        ({"replicas": 1, "why": "x"}, "/why"),
        ([1], ""),
    ],
)
def test_a_bad_hold_is_refused(api: httpx.Client, worker: Worker, body: object, pointer: str) -> None:
    publish(worker, "video")
    problem = api.post("/v1/pools/video:hold", json=body).json()
    assert (problem["status"], [error["pointer"] for error in problem["errors"]]) == (422, [pointer])
    assert orders(worker) == {}


@pytest.mark.parametrize("name", ["A", "a b", "-a", "a" * 64])
def test_a_bad_name_is_refused(api: httpx.Client, name: str) -> None:
    for response in (api.get(f"/v1/pools/{name}"), api.post(f"/v1/pools/{name}:pause")):
        assert (response.status_code, response.json()["errors"][0]["parameter"]) == (422, "pool")


def test_an_order_bears_the_name_of_the_key(start_api: Callable[..., Api], worker: Worker, redis_url: str) -> None:
    key = "hl_secret"
    api = start_api(redis_url, api_keys=entry("ann", key)).http
    publish(worker, "video")
    assert api.post("/v1/pools/video:pause").status_code == 401
    assert api.get("/v1/pools").status_code == 401
    assert orders(worker) == {}
    assert api.post("/v1/pools/video:pause", headers={"Authorization": f"Bearer {key}"}).status_code == 202
    assert orders(worker)["video"]["by"] == "ann"


def test_the_document_has_every_order(api: httpx.Client) -> None:
    document = api.get("/openapi.json").json()
    for action in ("hold", *ORDERS):
        operation = document["paths"][f"/v1/pools/{{pool}}:{action}"]["post"]
        assert operation["operationId"] == f"{action.replace('-', '_')}_pool"
        assert {"202", "401", "403", "404", "422", "503"} <= set(operation["responses"])
    schema = document["components"]["schemas"]["HoldRequest"]
    assert set(schema["properties"]) == {"replicas", "until", "for"}
