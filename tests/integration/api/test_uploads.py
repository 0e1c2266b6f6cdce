"""POST /upload: from bytes to an accepted job, and nothing left behind where that fails."""

from __future__ import annotations

import hashlib
import json
import re
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from heavylift import operations as ops
from tests.fixtures_redis import RedisServer
from tests.integration.api.conftest import Api, Worker
from tests.waiting import wait_until

pytestmark = pytest.mark.integration

FILM = b"film" * 1000
OCTETS = {"Content-Type": "application/octet-stream"}


def stored_files(api: Api) -> list[Path]:
    folder = Path(api.settings.artifacts_url.removeprefix("file://"))
    return [path for path in folder.rglob("*") if path.is_file()]


def resident() -> int:
    """Return the bytes of memory this process, and so the API in it, has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def blocks(count: int, size: int = 1 << 20) -> Iterator[bytes]:
    for _ in range(count):
        yield b"x" * size


def test_a_raw_body_becomes_a_job_with_its_file(api: httpx.Client, worker: Worker, shared_api: Api) -> None:
    params = {"filename": "../My film (1).mov", "input": json.dumps({"height": 720})}
    response = api.post("/upload", params=params, content=FILM, headers={"Content-Type": "video/quicktime"})
    assert response.status_code == 202
    job = response.json()
    key = f"jobs/{job['id']}/input/My_film_1_.mov"
    assert job["input"] == {"height": 720, "source": key}
    [artifact] = job["artifacts"]
    assert (artifact["role"], artifact["size"], artifact["content_type"]) == ("input", len(FILM), "video/quicktime")
    assert artifact["sha256"] == hashlib.sha256(FILM).hexdigest()
    assert str(worker.claim("video").id) == job["id"]
    folder = Path(shared_api.settings.artifacts_url.removeprefix("file://"))
    assert (folder / key).read_bytes() == FILM
    assert api.get(response.headers["location"]).json()["artifacts"] == job["artifacts"]


@pytest.mark.parametrize("file_first", [False, True])
def test_a_form_becomes_a_job(api: httpx.Client, *, file_first: bool) -> None:
    file = ("file", ("a b.mp4", FILM, "video/mp4"))
    fields = [("type", (None, b"video.transcode")), ("input", (None, b'{"height": 480}'))]
    response = api.post("/upload", files=[file, *fields] if file_first else [*fields, file])
    assert response.status_code == 202, response.text
    job = response.json()
    assert job["input"]["height"] == 480
    assert api.get(job["artifacts"][0]["url"]).content == FILM


def test_an_empty_file_is_taken_for_the_job_to_judge(api: httpx.Client) -> None:
    response = api.post("/upload", content=b"", headers=OCTETS)
    assert (response.status_code, response.json()["artifacts"][0]["size"]) == (202, 0)


@pytest.mark.parametrize(
    ("params", "slug", "place"),
    [
        ({"type": "nope"}, "unknown-job-type", "type"),
        ({"type": ""}, "unknown-job-type", "type"),
        ({"type": "echo"}, "takes-no-file", None),
        ({"input": '{"height": "high"}'}, "invalid-input", "/input/height"),
        ({"input": '{"source": "jobs/other"}'}, "invalid-input", "/input/source"),
        ({"input": "[]"}, "invalid-input", "/input"),
        ({"input": "{"}, "invalid-json", "input"),
    ],
)
def test_a_bad_upload_is_refused(api: httpx.Client, params: dict[str, str], slug: str, place: str | None) -> None:
    problem = api.post("/upload", params=params, content=FILM, headers=OCTETS).json()
    assert problem["type"] == f"urn:heavylift:problem:{slug}"
    found = [error.get("pointer") or error["parameter"] for error in problem.get("errors", [])]
    assert found == ([place] if place else [])


@pytest.mark.parametrize(
    ("form", "place", "remedy"),
    [
        (True, {"pointer": "/type"}, "Send the form's field `type` before `file`, or give ?type= in the address."),
        (False, {"parameter": "type"}, "Give ?type= in the address."),
    ],
)
def test_who_names_no_type_in_time_is_told_where_to(
    api: httpx.Client, monkeypatch: pytest.MonkeyPatch, *, form: bool, place: dict[str, str], remedy: str
) -> None:
    monkeypatch.setattr("heavylift_api.uploads.DEFAULT_TYPE", "not.here")
    late = [("file", ("a.mp4", FILM)), ("type", (None, b"video.transcode"))]
    response = api.post("/upload", files=late) if form else api.post("/upload", content=FILM, headers=OCTETS)
    problem = response.json()
    unknown = "No job type was given, and no worker has published the default, 'not.here'."
    assert (problem["detail"], problem["errors"]) == (f"{unknown} {remedy}", [{**place, "detail": remedy}])
    assert problem["known_types"] == ["echo", "video.transcode"]


@pytest.mark.parametrize(
    ("as_field", "place", "words"),
    [(True, {"pointer": "/input"}, "form's field"), (False, {"parameter": "input"}, "query parameter")],
)
def test_input_that_is_not_json_is_told_by_its_place(
    api: httpx.Client, *, as_field: bool, place: dict[str, str], words: str
) -> None:
    fields = {"input": (None, b"{bad")} if as_field else {}
    params = {} if as_field else {"input": "{bad"}
    problem = api.post("/upload", params=params, files={**fields, "file": ("a.mp4", FILM)}).json()
    assert problem["detail"].startswith(f"The {words} `input` is not JSON: ")
    assert [error | place for error in problem["errors"]] == problem["errors"]
    assert problem["position"] == 1


def test_a_misspelt_parameter_is_refused(api: httpx.Client) -> None:
    response = api.post("/upload", params={"typ": "echo"}, content=FILM, headers=OCTETS)
    assert (response.status_code, response.json()["errors"][0]["parameter"]) == (422, "typ")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"--b\r\nContent-Disposition: form-data; name=type\r\n\r\nx\r\n--b--\r\n", "multipart/form-data; boundary=b"),
        (b"--b\r\nContent-Disposition: form-data; name=file\r\n\r\nx", "multipart/form-data; boundary=b"),
        (b"no boundary", "multipart/form-data"),
        (b"not a form", "multipart/form-data; boundary=b"),
        (b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--\r\n", "multipart/form-data; boundary=b"),
    ],
    ids=["no file", "cut off", "no boundary", "garbage", "no name"],
)
def test_a_malformed_form_is_refused(
    api: httpx.Client, worker: Worker, shared_api: Api, body: bytes, content_type: str
) -> None:
    before = stored_files(shared_api)
    response = api.post("/upload", content=body, headers={"Content-Type": content_type})
    assert response.status_code in {400, 422}, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert stored_files(shared_api) == before
    assert worker.store.run(ops.queue_state(worker.keys, "video")).waiting == 0


@pytest.mark.parametrize("file_first", [True, False])
def test_an_unknown_field_of_a_form_is_refused(
    api: httpx.Client, worker: Worker, shared_api: Api, *, file_first: bool
) -> None:
    before = stored_files(shared_api)
    file, mistyped = ("file", ("a.mp4", FILM)), ("imput", (None, b"{}"))
    response = api.post("/upload", files=[file, mistyped] if file_first else [mistyped, file])
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, "/imput")
    assert stored_files(shared_api) == before


def test_a_file_is_removed_when_its_job_is_refused_at_last(
    start_api: Callable[..., Api], worker: Worker, redis_url: str
) -> None:
    api = start_api(redis_url, queue_bound=1)
    file, late = ("file", ("a.mp4", FILM)), ("input", (None, b'{"height": "high"}'))
    assert api.http.post("/upload", files=[file, late]).status_code == 422
    assert stored_files(api) == []
    assert api.http.post("/upload", content=FILM).status_code == 202
    assert api.http.post("/upload", content=FILM).status_code == 503  # the queue is full
    assert len(stored_files(api)) == 1


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize("form", [True, False])
def test_a_file_over_the_limit_is_refused_and_removed(
    start_api: Callable[..., Api], worker: Worker, redis_url: str, *, announced: bool, form: bool
) -> None:
    api = start_api(redis_url, max_upload_size=3_000_000)
    body, headers = b"x" * 6_000_000, dict(OCTETS)
    if form:
        body = b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\n' + body + b"\r\n--b--\r\n"
        headers["Content-Type"] = "multipart/form-data; boundary=b"
    pieces = (body[start : start + 65536] for start in range(0, len(body), 65536))
    response = api.http.post("/upload", content=body if announced else pieces, headers=headers)
    assert response.status_code == 413
    assert response.json()["limit"] >= 3_000_000
    assert stored_files(api) == []
    assert worker.store.run(ops.queue_state(worker.keys, "video")).waiting == 0


def test_a_client_that_leaves_in_the_middle_leaves_nothing_behind(
    start_api: Callable[..., Api], worker: Worker, redis_url: str
) -> None:
    api = start_api(redis_url)
    gauge = "heavylift_uploads_open 1.0"
    with socket.create_connection(("127.0.0.1", api.listener.getsockname()[1])) as client:
        client.sendall(
            b"POST /upload HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 90000000\r\n\r\n" + b"x" * 20_000_000
        )
        wait_until(lambda: gauge in api.http.get("/metrics").text, what="the upload's start")
    wait_until(lambda: gauge not in api.http.get("/metrics").text, what="the upload's end")
    assert stored_files(api) == []
    assert worker.store.run(ops.queue_state(worker.keys, "video")).waiting == 0


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads Linux's /proc")
def test_a_large_file_takes_constant_memory(start_api: Callable[..., Api], worker: Worker, redis_url: str) -> None:
    api = start_api(redis_url)
    api.http.post("/upload", content=blocks(24), headers=OCTETS).raise_for_status()  # warm up
    before = resident()
    peak = 0

    def observed() -> Iterator[bytes]:
        nonlocal peak
        for block in blocks(400):
            peak = max(peak, resident())
            yield block

    job = api.http.post("/upload", content=observed(), headers=OCTETS).json()
    assert job["artifacts"][0]["size"] == 400 << 20
    assert peak - before < 150 << 20


def bytes_taken(api: Api) -> float:
    [line] = re.findall(r"^heavylift_upload_bytes_total (\S+)$", api.http.get("/metrics").text, re.MULTILINE)
    return float(line)


def test_redis_gone_behind_an_upload_is_waited_for(start_api: Callable[..., Api], redis_server: RedisServer) -> None:
    api = start_api(redis_server.url)
    worker = Worker(redis_server.url)
    assert api.http.get("/v1/job-types").json()["items"]
    stopped = threading.Event()

    before = bytes_taken(api)

    def body() -> Iterator[bytes]:
        yield from blocks(3)
        wait_until(lambda: bytes_taken(api) > before, what="the file's start")  # Redis is asked before it
        redis_server.stop()
        stopped.set()
        yield b"end"

    def start_again() -> None:
        assert stopped.wait(10)
        time.sleep(1)  # the outage: long enough for the first submit to fail
        redis_server.start()

    helper = threading.Thread(target=start_again)
    helper.start()
    response = api.http.post("/upload", content=body(), headers=OCTETS)
    helper.join()
    assert response.status_code == 202, response.text
    assert str(worker.claim("video").id) == response.json()["id"]
    worker.store.close()


def test_a_file_stays_until_redis_can_say_whether_it_took_the_job(
    start_api: Callable[..., Api], redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("heavylift_api.uploads.SUBMIT_PATIENCE", 0.1)
    monkeypatch.setattr("heavylift_api.uploads.SETTLE_PAUSE", 0.1)
    api = start_api(redis_server.url)
    worker = Worker(redis_server.url)
    assert api.http.get("/v1/job-types").json()["items"]

    before = bytes_taken(api)

    def body() -> Iterator[bytes]:
        yield FILM
        wait_until(lambda: bytes_taken(api) > before, what="the file's start")
        redis_server.stop()

    assert api.http.post("/upload", content=body(), headers=OCTETS).status_code == 503
    assert len(stored_files(api)) == 1
    redis_server.start()
    wait_until(lambda: stored_files(api) == [], what="the file's removal")
    worker.store.close()


def test_more_uploads_than_the_bound_are_told_to_come_back(
    start_api: Callable[..., Api], worker: Worker, redis_url: str
) -> None:
    api = start_api(redis_url, max_uploads=1)
    with socket.create_connection(("127.0.0.1", api.listener.getsockname()[1])) as client:
        client.sendall(b"POST /upload HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10\r\n\r\n")
        wait_until(lambda: "heavylift_uploads_open 1.0" in api.http.get("/metrics").text, what="the first upload")
        response = api.http.post("/upload", content=FILM, headers=OCTETS)
    assert (response.status_code, response.headers["retry-after"]) == (503, "5")
    assert response.json()["type"] == "urn:heavylift:problem:too-many-uploads"
