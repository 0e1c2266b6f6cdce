"""KEDA is reminded of a metric that it did not get when it made its HPA, and only then."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes.client.configuration import Configuration

from heavylift_controller.cluster.api import Api, ApiError
from heavylift_controller.keda.registration import FORCE, LATER, SOON, Registration, reminder
from tests.scripted_api import ScriptedApi, answer

PATH = "/apis/keda.sh/v1alpha1/namespaces/work/scaledobjects/demo-worker-video"


def scaled(*known: str, force: str = "", kind: str = "external-push") -> dict[str, Any]:
    return {
        "metadata": {"annotations": {FORCE: force} if force else {}},
        "spec": {"triggers": [{"type": kind, "metadata": {"pool": "video", "scalerAddress": "here:9091"}}]},
        "status": {"externalMetricNames": list(known)} if known else {},
    }


@pytest.fixture
def server() -> Iterator[ScriptedApi]:
    with ScriptedApi() as server:
        yield server


@pytest.fixture
def registration(server: ScriptedApi) -> Iterator[Registration]:
    api = Api(Configuration(host=server.url), "work")
    yield Registration(api, lambda: ["demo-worker-video"])
    api.close()


@pytest.mark.parametrize(
    ("seen", "force"),
    [
        pytest.param(scaled(), "false", id="never asked"),
        pytest.param(scaled(force="false"), "0", id="asked once in vain"),
        pytest.param(scaled(force="0"), "false", id="asked twice in vain"),
        pytest.param(scaled("s1-other"), "false", id="has another metric"),
    ],
)
def test_a_scaled_object_without_our_metric_is_reminded(seen: dict[str, Any], force: str):
    assert reminder(seen) == {"metadata": {"annotations": {FORCE: force}}}


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(scaled("s0-desired_workers"), id="has it"),
        pytest.param(scaled(kind="redis"), id="is the simple mode's"),
        pytest.param(scaled(force="true"), id="is forced by somebody"),
        pytest.param({}, id="is empty"),
    ],
)
def test_others_are_left_alone(seen: dict[str, Any]):
    assert reminder(seen) is None


def test_the_second_trigger_has_another_name():
    seen = scaled("s0-desired_workers")
    seen["spec"]["triggers"].insert(0, {"type": "cron", "metadata": {}})
    assert reminder(seen)
    seen["status"]["externalMetricNames"] = ["s0-cron", "s1-desired_workers"]
    assert reminder(seen) is None


def test_a_reminder_is_looked_after_soon(server: ScriptedApi, registration: Registration):
    server.script(answer(scaled()), answer({}), answer(scaled("s0-desired_workers", force="false")))
    assert [registration.turn(), registration.turn()] == [SOON, LATER]
    assert [path.partition("?")[0] for path in server.paths] == [f"GET {PATH}", f"PATCH {PATH}", f"GET {PATH}"]
    sent = server.requests[1]
    assert sent.headers["Content-Type"] == "application/merge-patch+json"
    assert json.loads(sent.body) == {"metadata": {"annotations": {FORCE: "false"}}}


def test_a_pool_without_a_scaled_object_is_somebody_elses(server: ScriptedApi, registration: Registration):
    server.script(answer({"message": "not found"}, 404))
    assert registration.turn() == LATER


def test_a_missing_right_is_told(server: ScriptedApi, registration: Registration):
    server.script(answer({"message": "scaledobjects is forbidden"}, 403))
    with pytest.raises(ApiError, match="is forbidden"):
        registration.turn()
