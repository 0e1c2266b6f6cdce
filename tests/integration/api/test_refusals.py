"""Every refusal is an RFC 9457 problem that says what to change."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest
from openapi_spec_validator import validate

from tests.fixtures_redis import RedisServer
from tests.integration.api.conftest import Api, Worker
from tests.waiting import wait_until

pytestmark = pytest.mark.integration

NO_JOB = "/v1/jobs/default-01a20598-9458-737a-a1ec-8172c2e7e9ce"


def problem_of(response: httpx.Response, status: int) -> dict:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == status
    assert problem["title"]
    return problem


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({"type": "echo", "input": {"n": "x"}}, ["/input/n"]),
        ({"type": "echo", "input": {"n": 1, "tags": ["a", 2]}}, ["/input/tags/1"]),
        ({"type": "echo", "input": {}}, ["/input/n"]),
        ({"type": "echo", "input": {"n": 1, "a/b": 2}}, ["/input/a~1b"]),
        ({"type": "echo"}, ["/input/n"]),
        ({"type": "nope"}, ["/type"]),
        ({"input": {}}, ["/type"]),
        ({"type": "echo", "input": {"n": 1}, "priority": "urgent"}, ["/priority"]),
        ({"type": "echo", "input": {"n": 1}, "delay_seconds": -1}, ["/delay_seconds"]),
        ({"type": "echo", "input": {"n": 1}, "run_at": "2030-01-01T00:00:00"}, ["/run_at"]),
        ({"type": "echo", "input": {"n": 1}, "expires_at": "2020-01-01T00:00:00Z"}, ["/expires_at"]),
        ({"type": "echo", "input": {"n": 1}, "colour": "red"}, ["/colour"]),
        ({"type": "echo", "input": {"n": 1}, "delay_seconds": 1, "run_at": "2030-01-01T00:00:00Z"}, [""]),
        ([1], [""]),
    ],
)
def test_a_bad_submit_names_the_fields(api: httpx.Client, body: object, pointers: list[str]) -> None:
    problem = problem_of(api.post("/v1/jobs", json=body), 422)
    assert [error["pointer"] for error in problem["errors"]] == pointers


@pytest.mark.parametrize("body", [[], "echo", 7])
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v1/jobs"), ("POST", "/v1/jobs:replay"), ("PUT", "/v1/schedules/x"), ("POST", "/v1/pools/x:hold")],
)
def test_a_body_that_is_no_object_is_told_in_its_own_words(
    api: httpx.Client, method: str, path: str, body: object
) -> None:
    problem = problem_of(api.request(method, path, json=body), 422)
    assert problem["errors"] == [{"pointer": "", "detail": "Give a JSON object."}]


def test_an_unknown_type_is_told_its_neighbour(api: httpx.Client) -> None:
    problem = problem_of(api.post("/v1/jobs", json={"type": "video.transcod", "input": {}}), 422)
    assert "Did you mean 'video.transcode'?" in problem["detail"]
    assert problem["known_types"] == ["echo", "video.transcode"]


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b'{"type": ', {"Content-Type": "application/json"}, 400),
        (b"\xff", {"Content-Type": "application/json"}, 400),
        (b"", {"Content-Type": "application/json"}, 400),
        (b"[" * 5000, {"Content-Type": "application/json"}, 400),
        (b"{}", {"Content-Type": "text/plain"}, 415),
        (b'"' + b"x" * (1 << 20) + b'"', {"Content-Type": "application/json"}, 413),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(
    api: httpx.Client, body: bytes, headers: dict[str, str], status: int
) -> None:
    problem_of(api.post("/v1/jobs", content=body, headers=headers), status)


def test_a_large_body_is_refused_also_when_its_length_is_not_announced(api: httpx.Client) -> None:
    pieces = (b" " * 65536 for _ in range(20))
    problem_of(api.post("/v1/jobs", content=pieces, headers={"Content-Type": "application/json"}), 413)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nope", 404),
        ("DELETE", "/v1/jobs", 405),
        ("GET", NO_JOB, 404),
        ("GET", "/v1/jobs/not-an-id", 404),
        ("GET", f"{NO_JOB}/events", 404),
        ("GET", f"{NO_JOB}/artifacts", 404),
        ("GET", f"{NO_JOB}/artifacts/x", 404),
        ("POST", f"{NO_JOB}:cancel", 404),
        ("GET", "/v1/jobs?limit=0", 422),
        ("GET", "/v1/jobs?status=lost", 422),
        ("GET", "/v1/jobs?queue=A%7D", 422),
        ("GET", "/v1/jobs?cursor=abc", 422),
    ],
)
def test_what_does_not_exist_is_a_problem(api: httpx.Client, method: str, path: str, status: int) -> None:
    problem_of(api.request(method, path), status)


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("/v1/jobs?state=failed", "There are: status, type, queue, limit, cursor."),
        ("/v1/jobs?status=failed&state=failed", "There are: status, type, queue, limit, cursor."),
        ("/v1/job-types?state=x", "This route takes none."),
        ("/v1/queues?state=x", "This route takes none."),
        ("/v1/pools?state=x", "This route takes none."),
        ("/v1/schedules?state=x", "This route takes none."),
        (f"{NO_JOB}/artifacts?state=x", "This route takes none."),
    ],
)
def test_a_filter_that_does_not_exist_is_refused(api: httpx.Client, path: str, detail: str) -> None:
    problem = problem_of(api.get(path), 422)
    assert problem["errors"] == [{"parameter": "state", "detail": f"There is no such query parameter. {detail}"}]


def refused_as_full(api: httpx.Client) -> float:
    series = 'heavylift_submits_total{outcome="queue-full",type="echo"} '
    return float(api.get("/metrics").text.partition(series)[2].partition("\n")[0])


def test_a_full_queue_is_told_to_come_back(start_api: Callable[..., Api], worker: Worker, redis_url: str) -> None:
    api = start_api(redis_url, queue_bound=1).http
    body = {"type": "echo", "input": {"n": 1}}
    assert api.post("/v1/jobs", json=body).status_code == 202
    before = refused_as_full(api)
    response = api.post("/v1/jobs", json=body)
    problem_of(response, 503)
    assert response.headers["retry-after"] == "5"
    assert refused_as_full(api) == before + 1


def test_a_type_published_later_is_found_at_once(api: httpx.Client, worker: Worker) -> None:
    from tests.integration.api.conftest import ECHO

    assert api.get("/v1/job-types").status_code == 200
    worker.publish(ECHO.model_copy(update={"type": "late"}))

    def accepted() -> bool:
        return api.post("/v1/jobs", json={"type": "late", "input": {"n": 1}}).status_code == 202

    wait_until(accepted, timeout=1, what="the look for an unknown type")


@pytest.mark.parametrize("how", ["stop", "pause"])
def test_redis_gone_is_a_503_until_it_is_back(
    start_api: Callable[..., Api], redis_server: RedisServer, how: str
) -> None:
    api = start_api(redis_server.url, answer_timeout=timedelta(seconds=0.5)).http
    worker = Worker(redis_server.url)
    body = {"type": "echo", "input": {"n": 1}}
    path = api.post("/v1/jobs", json=body).headers["location"]
    getattr(redis_server, how)()
    for response in (api.post("/v1/jobs", json=body), api.get(path), api.get(f"{path}/events"), api.get("/readyz")):
        problem_of(response, 503)
        assert int(response.headers["retry-after"]) > 0
    assert api.get("/livez").status_code == 200
    (redis_server.start if how == "stop" else redis_server.resume)()
    wait_until(lambda: api.post("/v1/jobs", json=body).status_code == 202, what="submits after the outage")
    assert api.get(path).status_code == 200
    assert api.get("/readyz").status_code == 200
    worker.store.close()


def test_an_api_starts_without_redis_and_works_once_it_comes(
    start_api: Callable[..., Api], redis_server: RedisServer
) -> None:
    redis_server.stop()
    api = start_api(redis_server.url).http
    problem_of(api.get("/v1/job-types"), 503)
    redis_server.start()
    wait_until(lambda: api.get("/readyz").status_code == 200, what="readiness")


def test_storage_that_cannot_be_written_makes_the_api_unready(
    start_api: Callable[..., Api], worker: Worker, redis_url: str, tmp_path
) -> None:
    (tmp_path / "file").write_text("in the way")
    api = start_api(redis_url, artifacts_url=f"file://{tmp_path}/file/artifacts").http
    assert "rtifact" in problem_of(api.get("/readyz"), 503)["detail"]
    problem_of(api.post("/upload", content=b"x"), 503)


def test_the_openapi_document_is_valid_and_complete(api: httpx.Client) -> None:
    document = api.get("/openapi.json").json()
    validate(document)
    assert document["openapi"].startswith("3.1")
    submit = document["paths"]["/v1/jobs"]["post"]
    assert submit["security"] == [{"ApiKey": []}]
    assert submit["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("/JobRequest")
    for status in ("400", "401", "413", "415", "422", "503"):
        assert list(submit["responses"][status]["content"]) == ["application/problem+json"]
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_metrics_count_by_route_template_and_exist_from_the_start(api: httpx.Client) -> None:
    for _ in range(2):
        api.get(NO_JOB)
    text = api.get("/metrics").text
    assert 'heavylift_http_requests_total{method="GET",route="/v1/jobs/{job_id}",status="404"}' in text
    assert 'heavylift_http_requests_total{method="POST",route="/upload",status="413"}' in text
    assert 'heavylift_submits_total{outcome="accepted",type="video.transcode"} ' in text
    assert NO_JOB not in text
