"""A request that is sent again makes no second job."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager

import httpx
import pytest

from heavylift import operations as ops
from tests.integration.api.conftest import Api, Worker
from tests.waiting import wait_until

pytestmark = pytest.mark.integration

BODY = {"type": "echo", "input": {"n": 1}}
FILM = b"film" * 1000


def submit(api: httpx.Client, key: str, body: object = BODY) -> httpx.Response:
    return api.post("/v1/jobs", json=body, headers={"Idempotency-Key": key})


def upload(api: httpx.Client, key: str, content: bytes = FILM, **params: str) -> httpx.Response:
    return api.post("/upload", params=params, content=content, headers={"Idempotency-Key": key})


def test_a_repeated_submit_finds_its_job_as_it_is_now(api: httpx.Client, worker: Worker) -> None:
    first = submit(api, '"a key"')
    worker.finish(worker.claim())
    again = submit(api, '"a key"')
    assert (again.status_code, again.headers["location"]) == (202, first.headers["location"])
    assert again.json()["status"] == "succeeded"
    assert len(api.get("/v1/jobs").json()["items"]) == 1


def test_a_key_in_quotes_and_bare_is_the_same(api: httpx.Client) -> None:
    assert submit(api, '"k-1"').json()["id"] == submit(api, "k-1").json()["id"] != submit(api, "k-2").json()["id"]


def test_a_key_with_another_payload_is_refused(api: httpx.Client) -> None:
    submit(api, "k")
    response = submit(api, "k", {"type": "echo", "input": {"n": 2}})
    assert response.status_code == 422
    assert response.json()["type"] == "urn:heavylift:problem:idempotency-key-reused"


def test_a_submit_that_was_cut_off_behind_its_note_is_completed(api: httpx.Client, worker: Worker) -> None:
    first = submit(api, "k").json()["id"]
    worker.store.redis.delete(*worker.store.redis.scan_iter("hl:{default}*"), "default")  # as if the script never ran
    assert submit(api, "k").json()["id"] == first
    assert str(worker.claim().id) == first


@pytest.mark.parametrize("key", ["", '""', '"', "a b", "x" * 256, '"a"b"'])
def test_a_bad_key_is_refused(api: httpx.Client, key: str) -> None:
    response = submit(api, key)
    assert response.status_code == 422
    assert response.json()["errors"][0]["parameter"] == "Idempotency-Key"


def test_a_repeated_upload_finds_its_job(api: httpx.Client, worker: Worker) -> None:
    first, again = upload(api, "u", filename="a.mov"), upload(api, "u", filename="a.mov")
    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
    assert worker.store.run(ops.queue_state(worker.keys, "video")).waiting == 1


@pytest.mark.parametrize(("content", "params"), [(b"another", {}), (FILM, {"filename": "b.mov"})])
def test_an_upload_of_something_else_under_the_key_is_refused(
    api: httpx.Client, content: bytes, params: dict[str, str]
) -> None:
    job = upload(api, "u").json()
    assert upload(api, "u", content, **params).json()["type"] == "urn:heavylift:problem:idempotency-key-reused"
    assert api.get(job["artifacts"][0]["url"]).content == FILM


@contextmanager
def upload_under_way(api: Api, worker: Worker) -> Generator[bytes]:
    """Have an upload that claimed the key `u` wait for the rest of its file, and give the name of its claim.

    It is cut off in the end.
    """
    with socket.create_connection(("127.0.0.1", api.listener.getsockname()[1])) as client:
        client.sendall(
            b"POST /upload HTTP/1.1\r\nHost: 127.0.0.1\r\nIdempotency-Key: u\r\nContent-Length: 9\r\n\r\nabc"
        )
        [claim] = wait_until(lambda: [*worker.store.redis.scan_iter("*:open")], what="the upload's claim")
        yield claim


def test_an_upload_under_way_holds_off_its_repetition_until_it_ends(
    start_api: Callable[..., Api], worker: Worker, redis_url: str
) -> None:
    api = start_api(redis_url)
    with upload_under_way(api, worker):
        response = upload(api.http, "u")
        assert (response.status_code, response.json()["type"]) == (409, "urn:heavylift:problem:upload-in-progress")
    wait_until(lambda: upload(api.http, "u").status_code == 202, what="the repetition's turn")


def test_an_upload_that_was_overtaken_by_its_repetition_leaves_that_ones_file_alone(
    start_api: Callable[..., Api], worker: Worker, redis_url: str
) -> None:
    api = start_api(redis_url)
    with upload_under_way(api, worker) as claim:
        worker.store.redis.delete(claim)  # as after a minute without Redis
        job = upload(api.http, "u").json()
        worker.store.redis.set(claim, "another upload's")
    wait_until(lambda: "heavylift_uploads_open 0.0" in api.http.get("/metrics").text, what="the first upload's end")
    assert api.http.get(job["artifacts"][0]["url"]).content == FILM
    assert worker.store.redis.get(claim) == b"another upload's"


def test_callers_have_keys_of_their_own(start_api: Callable[..., Api], worker: Worker, redis_url: str) -> None:
    entries = ",".join(f"{name}:{hashlib.sha256(name.encode()).hexdigest()}" for name in ("ann", "bob"))
    api = start_api(redis_url, api_keys=entries).http
    ids = {
        api.post("/v1/jobs", json=BODY, headers={"Authorization": f"Bearer {name}", "Idempotency-Key": "k"}).json()[
            "id"
        ]
        for name in ("ann", "bob")
    }
    assert len(ids) == 2
