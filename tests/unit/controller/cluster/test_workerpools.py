from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes.client.configuration import Configuration

from heavylift_controller.cluster.api import Api, ApiError
from heavylift_controller.cluster.pool_status import status_of
from heavylift_controller.cluster.workerpools import WorkerPools, manifest
from heavylift_controller.scaler.pools import Pool, PoolQueue
from tests.scripted_api import ScriptedApi, answer
from tests.unit.controller.cluster.workerpool import decision, faults, published

POOLS = {
    name: Pool(deployment=f"rel-worker-{name}", resource=f"rel-{name}", queues={name: PoolQueue()})
    for name in ("video", "image")
}


@pytest.fixture
def server() -> Iterator[ScriptedApi]:
    with ScriptedApi() as server:
        yield server


@pytest.fixture
def pools(server: ScriptedApi) -> Iterator[WorkerPools]:
    api = Api(Configuration(host=server.url), "ns")
    yield WorkerPools(api)
    api.close()


def _asked(server: ScriptedApi) -> tuple[str, str, dict, str]:
    """Return the only request: its method, path, body and kind of body."""
    (request,) = server.requests
    path = request.path.partition("?")[0]
    return request.method, path, json.loads(request.body), request.headers["Content-Type"]


def _deployment(name: str) -> dict[str, object]:
    labels = {
        "app.kubernetes.io/name": "heavylift",
        "app.kubernetes.io/instance": "rel",
        "app.kubernetes.io/managed-by": "Helm",
        "helm.sh/chart": "heavylift-1",
        "heavylift.dev/pool": name,
    }
    return {"metadata": {"name": f"rel-worker-{name}", "uid": f"uid-{name}", "labels": labels}}


DEPLOYMENTS = {f"rel-worker-{name}": _deployment(name) for name in POOLS}
OBJECTS = "/apis/heavylift.dev/v1alpha1/namespaces/ns/workerpools"


def _status(**changes) -> dict:
    return status_of(decision(), published(**changes), selector="a=b", generation=1)


def test_a_pools_object_goes_with_its_deployment():
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "rel-worker-video", "uid": "uid-video"}
    assert _made()["metadata"]["ownerReferences"] == [owner]


def test_a_pools_object_is_made_with_its_releases_labels_and_an_empty_spec():
    made = _made()
    assert made["spec"] == {}
    assert made["metadata"]["name"] == "rel-video"
    assert made["metadata"]["labels"] == {
        "app.kubernetes.io/name": "heavylift",
        "app.kubernetes.io/instance": "rel",
        "app.kubernetes.io/managed-by": "heavylift-controller",
        "heavylift.dev/pool": "video",
    }


def test_only_missing_objects_are_made(server: ScriptedApi, pools: WorkerPools):
    server.script(answer({}, 201))
    assert pools.ensure(POOLS, DEPLOYMENTS, {"rel-video", "another"}) == ("rel-image",)
    method, path, body, _ = _asked(server)
    assert (method, path, body["metadata"]["name"]) == ("POST", OBJECTS, "rel-image")


def test_a_pool_whose_deployment_is_not_there_yet_waits_for_it(server: ScriptedApi, pools: WorkerPools):
    assert pools.ensure(POOLS, {}, ()) == ()
    assert not server.requests


def test_an_object_that_somebody_made_meanwhile_is_left_as_it_is(server: ScriptedApi, pools: WorkerPools):
    server.script(answer({}, 409))
    assert pools.ensure(POOLS, DEPLOYMENTS, {"rel-image"}) == ("rel-video",)
    assert len(server.requests) == 1


def test_another_refusal_is_told(server: ScriptedApi, pools: WorkerPools):
    server.script(answer({"message": "no"}, 403))
    with pytest.raises(ApiError, match="403"):
        pools.ensure(POOLS, DEPLOYMENTS, {"rel-image"})


def test_a_status_goes_to_its_own_subresource(server: ScriptedApi, pools: WorkerPools):
    server.script(answer({}))
    assert pools.patch_status("rel-video", _status(), now=0.0)
    method, path, body, kind = _asked(server)
    assert (method, path, kind) == ("PATCH", f"{OBJECTS}/rel-video/status", "application/merge-patch+json")
    assert faults(body["status"]) == []


def test_a_status_that_says_nothing_new_is_not_written(server: ScriptedApi, pools: WorkerPools):
    server.script(answer({}))
    assert pools.patch_status("rel-video", _status(), now=0.0)
    assert not pools.patch_status("rel-video", _status(), now=100.0)


def test_figures_are_written_every_few_seconds_only(server: ScriptedApi, pools: WorkerPools):
    server.script(answer({}), answer({}))
    assert pools.patch_status("rel-video", _status(waiting=1), now=0.0)
    assert not pools.patch_status("rel-video", _status(waiting=2), now=4.9)
    assert pools.patch_status("rel-video", _status(waiting=3), now=5.0)
    assert not pools.patch_status("rel-video", _status(waiting=4), now=6.0)


def test_a_decision_is_written_at_once(server: ScriptedApi, pools: WorkerPools):
    server.script(answer({}), answer({}))
    assert pools.patch_status("rel-video", _status(desired=1), now=0.0)
    assert pools.patch_status("rel-video", _status(desired=2), now=0.1)


def test_a_status_that_was_refused_is_written_again(server: ScriptedApi, pools: WorkerPools):
    server.script(answer({}, 409), answer({}))
    with pytest.raises(ApiError):
        pools.patch_status("rel-video", _status(), now=0.0)
    assert pools.patch_status("rel-video", _status(), now=0.0)


def test_a_new_object_gets_the_status_anew(server: ScriptedApi, pools: WorkerPools):
    server.script(answer({}), answer({}, 201), answer({}))
    assert pools.patch_status("rel-video", _status(), now=0.0)
    pools.ensure(POOLS, DEPLOYMENTS, {"rel-image"})
    assert pools.patch_status("rel-video", _status(), now=0.1)


def test_a_release_takes_away_the_hold_and_nothing_else(server: ScriptedApi, pools: WorkerPools):
    server.script(answer({}))
    pools.release("rel-video")
    body = {"metadata": {}, "spec": {"replicas": None, "holdUntil": None}}
    assert _asked(server) == ("PATCH", f"{OBJECTS}/rel-video", body, "application/merge-patch+json")


def _held(until: str | None) -> dict[str, object]:
    spec = {"replicas": 2} | ({"holdUntil": until} if until else {})
    return {"metadata": {"name": "rel-video", "resourceVersion": "77"}, "spec": spec}


def test_a_hold_whose_time_is_over_is_released_if_nobody_has_changed_it(server: ScriptedApi, pools: WorkerPools):
    server.script(answer({}))
    assert pools.end_holds([_held("2027-01-15T08:00:00Z")], now=1_800_000_003.0) == ("rel-video",)
    body = {"metadata": {"resourceVersion": "77"}, "spec": {"replicas": None, "holdUntil": None}}
    assert _asked(server) == ("PATCH", f"{OBJECTS}/rel-video", body, "application/merge-patch+json")


def test_a_hold_that_was_changed_meanwhile_is_left(server: ScriptedApi, pools: WorkerPools):
    server.script(answer({}, 409))
    pools.end_holds([_held("2027-01-15T08:00:00Z")], now=1_800_000_003.0)
    assert len(server.requests) == 1


@pytest.mark.parametrize("until", [None, "2027-01-15T08:00:05Z", "2027-01-15T08:00:00Z"])
def test_a_hold_that_lasts_is_left(server: ScriptedApi, pools: WorkerPools, until: str | None):
    assert pools.end_holds([_held(until)], now=1_800_000_001.0) == ()
    assert not server.requests


def _made() -> Any:
    return manifest("video", POOLS["video"], _deployment("video"))
