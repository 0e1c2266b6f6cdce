"""Who may do what: API keys, and without them this machine only."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.integration.api.conftest import Api, Worker

pytestmark = pytest.mark.integration

ROUTES = [
    ("POST", "/v1/jobs"),
    ("GET", "/v1/jobs"),
    ("GET", "/v1/jobs?state=failed"),
    ("POST", "/v1/jobs:batch"),
    ("POST", "/v1/jobs:replay"),
    ("POST", "/v1/jobs/default-01a20598-9458-737a-a1ec-8172c2e7e9ce:replay"),
    ("GET", "/v1/queues"),
    ("GET", "/v1/pools"),
    ("GET", "/v1/pools/x"),
    ("POST", "/v1/pools/x:hold"),
    ("POST", "/v1/pools/x:release"),
    ("GET", "/v1/schedules"),
    ("PUT", "/v1/schedules/x"),
    ("GET", "/v1/schedules/x"),
    ("DELETE", "/v1/schedules/x"),
    ("POST", "/upload"),
    ("GET", "/v1/job-types"),
    ("GET", "/v1/jobs/default-01a20598-9458-737a-a1ec-8172c2e7e9ce"),
    ("POST", "/v1/jobs/default-01a20598-9458-737a-a1ec-8172c2e7e9ce:cancel"),
    ("GET", "/v1/jobs/default-01a20598-9458-737a-a1ec-8172c2e7e9ce/events"),
    ("GET", "/v1/jobs/default-01a20598-9458-737a-a1ec-8172c2e7e9ce/artifacts"),
    ("GET", "/v1/jobs/default-01a20598-9458-737a-a1ec-8172c2e7e9ce/artifacts/x"),
]


@pytest.fixture
def locked(start_api: Callable[..., Api], worker: Worker, redis_url: str, tmp_path: Path) -> httpx.Client:
    """An API with the keys `one` (in the environment) and `two` (in a file)."""
    file = tmp_path / "keys"
    file.write_text(f"# people\ntwo:{hashlib.sha256(b'two').hexdigest()}  # bob\n")
    return start_api(redis_url, api_keys=f"one:{hashlib.sha256(b'one').hexdigest()}", api_keys_file=file).http


@pytest.mark.parametrize("given", [None, "Bearer wrong", "Basic one", "one", "Bearer"])
def test_every_route_needs_a_known_key(locked: httpx.Client, given: str | None) -> None:
    headers = {} if given is None else {"Authorization": given}
    for method, path in ROUTES:
        response = locked.request(method, path, headers=headers)
        assert response.status_code == 401, path
        assert response.headers["www-authenticate"] == 'Bearer realm="heavylift"'
        assert response.json()["type"] == "urn:heavylift:problem:unauthorized"


@pytest.mark.parametrize("key", ["one", "two"])
def test_a_known_key_opens(locked: httpx.Client, key: str) -> None:
    body = {"type": "echo", "input": {"n": 1}}
    response = locked.post("/v1/jobs", json=body, headers={"Authorization": f"bearer {key}"})
    assert response.status_code == 202


def test_a_cancel_tells_whose_key_it_was(locked: httpx.Client) -> None:
    locked.headers["Authorization"] = "Bearer one"
    location = locked.post("/v1/jobs", json={"type": "echo", "input": {"n": 1}}).headers["location"]
    locked.post(f"{location}:cancel").raise_for_status()
    assert '"reason":"cancelled by one"' in locked.get(f"{location}/events").text


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
def test_probes_and_metrics_need_no_key(locked: httpx.Client, path: str) -> None:
    assert locked.get(path).status_code == 200


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Host": "evil.example"}, {"Origin": "null"}, {"Host": "[x"}]
)
def test_without_keys_other_sites_are_refused(api: httpx.Client, headers: dict[str, str]) -> None:
    for method, path in ROUTES:
        assert api.request(method, path, headers=headers).status_code == 403, path


@pytest.mark.parametrize("headers", [{"Origin": "http://localhost:3000"}, {"Host": "localhost"}, {"Host": "[::1]:80"}])
def test_without_keys_this_machine_is_served(api: httpx.Client, headers: dict[str, str]) -> None:
    assert api.get("/v1/jobs", headers=headers).status_code == 200
