"""Many jobs in one request."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest

from heavylift import operations as ops
from heavylift.store import AsyncStore, Call
from heavylift_api.batches import CHUNK, MAX_ITEMS
from tests.fixtures_redis import RedisServer
from tests.integration.api.conftest import ECHO, Api, Worker

pytestmark = pytest.mark.integration

BAD = [
    ({"type": "echo", "input": {"n": "x"}}, "invalid-input", "/input/n"),
    ({"type": "echo", "input": {"n": 1, "m": 1}}, "invalid-input", "/input/m"),
    ({"type": "ecco", "input": {"n": 1}}, "unknown-job-type", "/type"),
    ({"input": {"n": 1}}, "invalid-request", "/type"),
    ({"type": "echo", "input": {"n": 1}, "priority": "high"}, "invalid-request", "/priority"),
    ({"type": "echo", "input": {"n": 1}, "expires_at": "2001-01-01T00:00:00Z"}, "invalid-request", "/expires_at"),
    (7, "invalid-request", ""),
]


def echo(n: int, **fields: object) -> dict[str, object]:
    return {"type": "echo", "input": {"n": n}, **fields}


def send(api: httpx.Client, items: object, key: str | None = None) -> httpx.Response:
    return api.post("/v1/jobs:batch", json={"items": items}, headers={"Idempotency-Key": key} if key else {})


def outcomes(response: httpx.Response) -> list[str]:
    return [result["outcome"] for result in response.json()["results"]]


def waiting(worker: Worker, queue: str = "default") -> int:
    return worker.store.run(ops.queue_state(worker.keys, queue)).waiting


def test_a_batch_is_taken_in_its_order_whatever_the_queues(api: httpx.Client, worker: Worker) -> None:
    films = [{"type": "video.transcode", "input": {"source": "x"}}, echo(0), echo(1, delay_seconds=60)]
    response = send(api, films + [echo(n) for n in range(2, CHUNK + 5)])
    assert response.status_code == 202, response.text
    results = response.json()["results"]
    assert [result["status"] for result in results[:4]] == ["queued", "queued", "scheduled", "queued"]
    assert response.json()["counts"] == {"accepted": CHUNK + 6, "repeated": 0, "refused": 0, "unconfirmed": 0}
    assert str(worker.claim("video").id) == results[0]["id"]
    claimed = [str(worker.claim().id) for _ in range(CHUNK + 4)]
    assert claimed == [result["id"] for result in results[1:] if result["status"] == "queued"]
    job = api.get(results[3]["urls"]["self"]).json()
    assert (job["type"], job["input"], job["priority"]) == ("echo", {"n": 2}, "normal")


def test_what_is_wrong_with_one_keeps_no_other_back(api: httpx.Client, worker: Worker) -> None:
    response = send(api, [echo(0), *(item for item, _, _ in BAD), echo(1)])
    assert (response.status_code, waiting(worker)) == (202, 2)
    assert outcomes(response) == ["accepted", *["refused"] * len(BAD), "accepted"]
    for index, (_, slug, place) in enumerate(BAD, start=1):
        problem = response.json()["results"][index]["problem"]
        assert problem["type"] == f"urn:heavylift:problem:{slug}"
        assert problem["errors"][0]["pointer"] == f"/items/{index}{place}"


def test_a_batch_without_a_valid_job_is_refused(api: httpx.Client) -> None:
    response = send(api, [item for item, _, _ in BAD])
    problem = response.json()
    assert (response.status_code, problem["type"]) == (422, "urn:heavylift:problem:invalid-batch")
    assert [error["pointer"] for error in problem["errors"]] == [f"/items/{i}{at}" for i, (_, _, at) in enumerate(BAD)]
    assert outcomes(response) == ["refused"] * len(BAD)


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ([], "/items"),
        ({}, "/items"),
        ({"items": {}}, "/items"),
        ({"items": []}, "/items"),
        ({"items": [0] * (MAX_ITEMS + 1)}, "/items"),
        ({"items": [0], "a/b": 1}, "/a~1b"),
    ],
)
def test_what_is_no_batch_is_refused(api: httpx.Client, body: object, place: str) -> None:
    response = api.post("/v1/jobs:batch", json=body)
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, place)


def test_bodies_are_bounded(start_api: Callable[..., Api], worker: Worker, redis_url: str) -> None:
    api = start_api(redis_url, max_batch_size=3000, max_body_size=1000).http
    large = {"type": "echo", "input": {"n": 1, "tags": ["x" * 1000]}}
    assert send(api, [large] * 3).status_code == 413
    response = send(api, [large, echo(1)])
    assert outcomes(response) == ["refused", "accepted"]
    assert response.json()["results"][0]["problem"]["type"] == "urn:heavylift:problem:body-too-large"


def test_a_repeated_batch_finds_its_jobs_as_they_are_now(api: httpx.Client, worker: Worker) -> None:
    items = [echo(0), echo(1), {"type": "nope"}]
    first = send(api, items, "k")
    worker.finish(worker.claim())
    again = send(api, items, "k")
    assert outcomes(again) == ["repeated", "repeated", "refused"]
    assert [result["status"] for result in again.json()["results"][:2]] == ["succeeded", "queued"]
    assert [result.get("id") for result in again.json()["results"]] == [
        result.get("id") for result in first.json()["results"]
    ]
    assert waiting(worker) == 1


def test_a_repeated_batch_stays_in_its_queue_when_the_type_moves(
    start_api: Callable[..., Api], worker: Worker, redis_url: str
) -> None:
    first = send(start_api(redis_url).http, [echo(0)], "k").json()["results"][0]["id"]
    worker.publish(ECHO.model_copy(update={"queue": "elsewhere"}))
    again = send(start_api(redis_url).http, [echo(0)], "k")
    assert (outcomes(again), again.json()["results"][0]["id"]) == (["repeated"], first)


def test_a_key_with_another_batch_is_refused(api: httpx.Client) -> None:
    send(api, [echo(0)], "k")
    for response in (send(api, [echo(1)], "k"), api.post("/v1/jobs", json=echo(0), headers={"Idempotency-Key": "k"})):
        assert response.json()["type"] == "urn:heavylift:problem:idempotency-key-reused"


def test_a_nearly_full_queue_takes_what_it_has_places_for(
    start_api: Callable[..., Api], worker: Worker, redis_url: str
) -> None:
    api = start_api(redis_url, queue_bounds="default=3").http
    items = [echo(n) for n in range(5)]
    film = {"type": "video.transcode", "input": {"source": "x"}}
    response = send(api, [*items, film], "k")
    assert outcomes(response) == ["accepted"] * 3 + ["refused"] * 2 + ["accepted"]
    full = response.json()["results"][3]["problem"]
    assert full["type"].endswith("#temporary-reduced-capacity")
    assert outcomes(send(api, [*items, film], "k")) == ["repeated"] * 3 + ["refused"] * 2 + ["repeated"]
    worker.finish(worker.claim())
    assert outcomes(send(api, [*items, film], "k")) == ["repeated"] * 3 + ["accepted", "refused", "repeated"]
    refused = send(api, items)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    assert outcomes(refused) == ["refused"] * 5


def test_an_outage_between_chunks_is_told_job_by_job_and_repaired_under_the_key(
    start_api: Callable[..., Api], redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = Worker(redis_server.url)
    api = start_api(redis_server.url, answer_timeout=timedelta(seconds=1)).http
    items = [echo(n) for n in range(3 * CHUNK)]
    run = AsyncStore.run

    async def run_until_the_second_chunk(store: AsyncStore, call: Call[object]) -> object:
        if call.script and call.script.name == "submit" and waiting(worker) == CHUNK:
            redis_server.kill()
        return await run(store, call)

    with monkeypatch.context() as patched:
        patched.setattr(AsyncStore, "run", run_until_the_second_chunk)
        broken = send(api, items, "k")
    assert outcomes(broken) == ["accepted"] * CHUNK + ["unconfirmed"] * 2 * CHUNK
    assert broken.json()["results"][CHUNK]["problem"]["type"] == "urn:heavylift:problem:store-unavailable"
    redis_server.start()
    repaired = send(api, items, "k")
    assert set(outcomes(repaired)) == {"accepted", "repeated"}
    assert waiting(worker) == len(items)
    ids = [result["id"] for result in repaired.json()["results"]]
    assert [str(worker.claim().id) for _ in range(20)] == ids[:20]
    worker.store.close()


def test_an_outage_from_the_start_is_a_503(start_api: Callable[..., Api], redis_server: RedisServer) -> None:
    worker = Worker(redis_server.url)
    api = start_api(redis_server.url, answer_timeout=timedelta(seconds=0.5)).http
    assert send(api, [echo(0)]).status_code == 202
    redis_server.stop()
    for key in (None, "k"):
        response = send(api, [echo(0)], key)
        assert (response.status_code, response.json()["type"]) == (503, "urn:heavylift:problem:store-unavailable")
    worker.store.close()


def test_submits_are_counted_by_outcome(api: httpx.Client) -> None:
    def count(outcome: str) -> float:
        line = f'heavylift_submits_total{{outcome="{outcome}",type="echo"}} '
        return float(api.get("/metrics").text.partition(line)[2].partition("\n")[0])

    api.get("/v1/job-types")
    before = count("accepted"), count("invalid-input")
    send(api, [echo(0), echo(1), {"type": "echo", "input": {"n": "x"}}])
    assert (count("accepted"), count("invalid-input")) == (before[0] + 2, before[1] + 1)
