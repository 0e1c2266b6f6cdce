"""Flower beside real workers: it shows what they do, lets in whom it should, and changes nothing."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.fixtures_redis import RedisServer
from tests.fixtures_worker import Jobs, StartWorker
from tests.integration.flower.conftest import FlowerProcess, StartFlower
from tests.waiting import wait_until

pytestmark = pytest.mark.integration

USER = ("ann", "a pass:word")


@pytest.fixture
def users(tmp_path: Path) -> dict[str, str]:
    """Settings with one user, as a mounted Secret has them."""
    file = tmp_path / "auth"
    file.write_text(f"# who may look\n{USER[0]}:{USER[1]}\n")
    return {"HEAVYLIFT_FLOWER_BASIC_AUTH_FILE": str(file)}


def listening(flower: FlowerProcess, times: int = 1) -> FlowerProcess:
    wait_until(lambda: len(flower.events("listening_to_workers")) == times, 20, what="its ear")
    return flower


def test_it_shows_attempts_workers_and_queues_and_survives_redis(
    own_jobs: Jobs, redis_server: RedisServer, start_worker: StartWorker, start_flower: StartFlower, users: dict
) -> None:
    flower = listening(start_flower(**users))
    worker = start_worker()
    job_id = own_jobs.submit("add", a=1)
    own_jobs.ended(job_id)
    with flower.client(USER) as http:
        wait_until(lambda: str(job_id) in http.get("/api/tasks").json(), what="the attempt")
        task = http.get(f"/api/task/info/{job_id}").json()
        assert (task["name"], task["state"], task["worker"]) == ("sample.add", "SUCCESS", worker.name)
        wait_until(lambda: worker.name in http.get("/api/workers?status=true").json(), what="the worker")
        assert worker.name in http.get("/workers?refresh=1&json=1").text

        assert {"name": "sample", "messages": 0} in _lengths(http)
        own_jobs.submit_many("hold_b", [{"folder": "/none"}] * 3)
        assert {"name": "sample_b", "messages": 3} in _lengths(http)
        assert "sample_b" in http.get("/broker").text
        assert f"redis://127.0.0.1:{redis_server.port}" in http.get("/broker").text

        redis_server.kill()
        wait_until(lambda: flower.events("redis_lost"), what="the loss")
        redis_server.start()
        listening(flower, times=2)
        again = own_jobs.submit("add", a=2)
        own_jobs.ended(again)
        wait_until(lambda: str(again) in http.get("/api/tasks").json(), what="an attempt after the outage")


def _lengths(http: httpx.Client) -> list[dict[str, object]]:
    return [
        {"name": each["name"], "messages": each["messages"]}
        for each in http.get("/api/queues/length").json()["active_queues"]
    ]


def test_it_lets_in_its_users_alone_and_nobody_steers(start_flower: StartFlower, users: dict) -> None:
    flower = start_flower(HEAVYLIFT_FLOWER_HOST="0.0.0.0", **users)
    with flower.client() as stranger:
        for path in ("/", "/workers", "/tasks", "/broker", "/api/tasks", "/api/workers", "/api/queues/length"):
            assert stranger.get(path).status_code == 401, path
        assert stranger.get("/healthcheck").status_code == 200
    with flower.client((USER[0], "wrong")) as stranger:
        assert stranger.get("/workers").status_code == 401
    with flower.client(USER) as http:
        assert http.get("/workers").status_code == 200
        assert http.post("/api/worker/shutdown/worker-1").status_code == 403
        assert http.post("/api/task/async-apply/sample.add", json={"args": [1]}).status_code == 403


def test_it_writes_nothing_to_redis(own_jobs: Jobs, start_flower: StartFlower, users: dict) -> None:
    with listening(start_flower(**users)).client(USER) as http:
        for path in ("/workers?refresh=1", "/api/workers?refresh=1", "/tasks", "/broker"):
            assert http.get(path).status_code == 200
    assert own_jobs.redis.keys() == []


def test_it_is_reached_below_a_path(start_flower: StartFlower, users: dict) -> None:
    with start_flower(HEAVYLIFT_FLOWER_URL_PREFIX="/flower", **users).client(USER) as http:
        page = http.get("/flower/broker")
        assert page.status_code == 200
        assert "/flower/static/" in page.text
        assert http.get("/flower/healthcheck").text == "OK"
        assert http.get("/broker").status_code == 404


def test_its_password_and_key_prefix_are_the_usual_settings(
    redis_server: RedisServer, start_worker: StartWorker, start_flower: StartFlower, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text("geheim\n")
    with redis_server.client() as client:
        client.config_set("requirepass", "geheim")
    usual = {"HEAVYLIFT_REDIS_PASSWORD_FILE": str(tmp_path / "password"), "HEAVYLIFT_KEY_PREFIX": "two:"}
    flower = listening(start_flower(**usual))
    worker = start_worker(**usual)
    with flower.client() as http:
        wait_until(lambda: worker.name in http.get("/workers?json=1").text, what="the worker")
    with redis_server.client() as client:
        client.execute_command("AUTH", "geheim")
        client.config_set("requirepass", "")


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"HEAVYLIFT_FLOWER_HOST": "0.0.0.0"}, "HEAVYLIFT_FLOWER_BASIC_AUTH_FILE, or HEAVYLIFT_FLOWER_OPEN=true"),
        ({"HEAVYLIFT_FLOWER_BASIC_AUTH_FILE": "/none"}, "/none: No such file or directory"),
        ({"HEAVYLIFT_FLOWER_BASIC_AUTH_FILE": "/dev/null"}, "holds no user"),
        ({"HEAVYLIFT_FLOWER_PORT": "http"}, "HEAVYLIFT_FLOWER_PORT"),
        ({"HEAVYLIFT_REDIS_URL": "nonsense"}, "HEAVYLIFT_REDIS_URL"),
    ],
)
def test_a_bad_setting_ends_it_with_a_sentence(redis_url: str, tmp_path: Path, env: dict[str, str], said: str) -> None:
    flower = FlowerProcess(redis_url, tmp_path, **env)
    assert flower.process.wait(20) == 2
    assert said in flower.log.read_text()
    assert flower.log.read_text().startswith("heavylift-flower: ")


def test_everybody_may_look_where_that_is_meant(start_flower: StartFlower) -> None:
    with start_flower(HEAVYLIFT_FLOWER_HOST="0.0.0.0", HEAVYLIFT_FLOWER_OPEN="true").client() as http:
        assert http.get("/workers").status_code == 200
        assert http.get("/api/tasks").status_code == 401  # Flower keeps its API for users
