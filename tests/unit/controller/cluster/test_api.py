from __future__ import annotations

import json
import socket
import time
from pathlib import Path

import pytest
import yaml
from kubernetes.client.configuration import Configuration

from heavylift.errors import ConfigurationError
from heavylift_controller.cluster.api import JSON_PATCH, PATIENCE, Api, ApiError
from tests.scripted_api import Answer, ScriptedApi, answer, drop

PATH = "/apis/apps/v1/namespaces/media/deployments/video/scale"


def refused(status: int, message: str = "refused", **headers: str) -> Answer:
    return answer({"kind": "Status", "message": message, "code": status}, status, **headers)


def test_paths_are_those_of_the_namespace(api: Api):
    assert api.path("apps/v1", "deployments", "video", "scale") == PATH
    assert api.path("v1", "pods") == "/api/v1/namespaces/media/pods"


def test_what_is_written_carries_our_name(api: Api, server: ScriptedApi):
    server.script(answer({"spec": {"replicas": 3}}))

    found = api.request("PATCH", PATH, [{"op": "test"}], content_type=JSON_PATCH)

    assert found == {"spec": {"replicas": 3}}
    [request] = server.requests
    assert request.path == f"{PATH}?fieldManager=heavylift-controller"
    assert request.headers["Content-Type"] == JSON_PATCH
    assert request.headers["User-Agent"].startswith("heavylift-controller/")
    assert json.loads(request.body) == [{"op": "test"}]


def test_a_refusal_is_told_in_the_servers_words(api: Api, server: ScriptedApi):
    server.script(refused(403, "pods is forbidden"))

    with pytest.raises(ApiError, match="pods is forbidden") as error:
        api.request("GET", "/api/v1/namespaces/media/pods")

    assert error.value.status == 403
    assert len(server.requests) == 1


@pytest.mark.parametrize("failure", [refused(503), refused(500), refused(429), drop()])
def test_what_failed_for_the_moment_is_asked_again(api: Api, server: ScriptedApi, failure: Answer):
    server.script(failure, answer({"kind": "Pod"}))

    assert api.request("GET", PATH) == {"kind": "Pod"}


@pytest.mark.parametrize("failure", [refused(503), refused(504), drop()])
def test_what_is_to_be_done_once_is_not_sent_again_if_its_outcome_is_unknown(
    api: Api, server: ScriptedApi, failure: Answer
):
    server.script(failure)

    with pytest.raises(ApiError):
        api.request("PATCH", PATH, [], content_type=JSON_PATCH, once=True)

    assert len(server.requests) == 1


def test_what_is_to_be_done_once_is_sent_again_if_the_server_did_nothing(api: Api, server: ScriptedApi):
    server.script(refused(429), answer({}))

    api.request("PATCH", PATH, [], content_type=JSON_PATCH, once=True)

    assert len(server.requests) == 2


def test_the_server_says_how_long_to_wait(api: Api, server: ScriptedApi):
    server.script(refused(429, **{"Retry-After": "1"}), answer({}))
    began = time.monotonic()

    api.request("GET", PATH)

    assert time.monotonic() - began >= 1


def test_a_wait_that_is_too_long_is_not_waited_for(api: Api, server: ScriptedApi):
    server.script(refused(429, "too many", **{"Retry-After": str(int(PATIENCE) + 1)}))

    with pytest.raises(ApiError, match="too many"):
        api.request("GET", PATH)


def test_a_server_that_does_not_answer_in_time_is_an_error_without_a_status(api: Api, server: ScriptedApi):
    server.script(Answer(200, b"{}", {"Content-Length": "100"}))  # the rest never comes

    with pytest.raises(ApiError) as error:
        api.request("PATCH", PATH, [], content_type=JSON_PATCH, once=True, read_seconds=0.2)

    assert error.value.status == 0


@pytest.mark.parametrize("failure", [refused(429), refused(503), drop()])
def test_an_attempt_is_never_sent_again(api: Api, server: ScriptedApi, failure: Answer):
    server.script(failure)

    with pytest.raises(ApiError):
        api.attempt("PATCH", PATH, [], content_type=JSON_PATCH, seconds=5)

    assert server.paths == [f"PATCH {PATH}?fieldManager=heavylift-controller&timeout=5000ms"]


def test_an_attempt_is_given_up_when_its_time_is_over():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        api = Api(Configuration(host=f"http://127.0.0.1:{silent.getsockname()[1]}"), "media")
        began = time.monotonic()

        with pytest.raises(ApiError) as error:
            api.attempt("PATCH", PATH, [], content_type=JSON_PATCH, seconds=0.2)

        assert error.value.status == 0
        assert time.monotonic() - began < PATIENCE
        api.close()


def test_a_server_that_is_not_there_is_an_error(server: ScriptedApi):
    server.close()
    api = Api(Configuration(host=server.url), "media")
    api._closed.set()  # as if it were closed meanwhile: it does not try for long

    with pytest.raises(ApiError, match="refused"):
        api.request("GET", PATH)
    api.close()


def test_a_long_list_is_read_page_by_page(api: Api, server: ScriptedApi):
    server.script(
        answer({"metadata": {"continue": "next", "resourceVersion": "7"}, "items": [{"a": 1}]}),
        answer({"metadata": {"resourceVersion": "7"}, "items": [{"a": 2}]}),
    )

    assert api.list_all("/api/v1/namespaces/media/pods", selector="x=y") == ([{"a": 1}, {"a": 2}], "7")
    assert "labelSelector=x%3Dy" in server.requests[0].path
    assert "continue=next" in server.requests[1].path


def test_a_kubeconfig_says_where_and_in_which_namespace(tmp_path: Path, server: ScriptedApi):
    file = tmp_path / "config"
    context = {"cluster": "c", "user": "u", "namespace": "mine"}
    file.write_text(
        yaml.safe_dump(
            {
                "current-context": "x",
                "clusters": [{"name": "c", "cluster": {"server": server.url}}],
                "users": [{"name": "u", "user": {"token": "secret"}}],
                "contexts": [{"name": "x", "context": context}],
            }
        )
    )
    server.script(answer({}))
    api = Api.from_kubeconfig(file)

    api.request("GET", api.path("v1", "pods"))

    api.close()
    assert server.requests[0].path == "/api/v1/namespaces/mine/pods"
    assert server.requests[0].headers["authorization"] == "Bearer secret"


def test_without_a_cluster_the_error_says_what_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ConfigurationError, match="service account"):
        Api.in_cluster()
    with pytest.raises(ConfigurationError, match="service account"):
        Api.from_kubeconfig(tmp_path / "none")
