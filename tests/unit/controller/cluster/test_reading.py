"""What the platform says while the API server cannot say everything."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from heavylift_controller.cluster.api import JsonObject
from heavylift_controller.cluster.platform import KubernetesPlatform
from heavylift_controller.cluster.pods import POOL as POOL_LABEL
from heavylift_controller.cluster.pods import REVISION
from heavylift_controller.scaler.platform import PlatformError, Sight
from heavylift_controller.scaler.pools import Pool, PoolQueue
from tests.unit.controller.cluster.api_server import ApiServer
from tests.waiting import wait_until

POOL = Pool(deployment="media-video", resource="video", queues={"video": PoolQueue()}, guard=True)
DEPLOYMENT: JsonObject = {
    "metadata": {"name": "media-video", "uid": "u"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {POOL_LABEL: "video"}},
        "template": {"spec": {"containers": [{}]}},
    },
}
HPA: JsonObject = {
    "metadata": {"name": "others"},
    "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "media-video"}},
}
FULL: JsonObject = {"metadata": {"name": "full"}, "status": {"hard": {"pods": "2"}, "used": {"pods": "2"}}}


REPLICA_SET: JsonObject = {
    "metadata": {
        "name": "media-video-1",
        "labels": {REVISION: "1"},
        "ownerReferences": [{"uid": "u", "controller": True}],
    },
    "spec": {"replicas": 1},
    "status": {"replicas": 2},
}


def worker(name: str) -> JsonObject:
    return {"metadata": {"name": name, "labels": {POOL_LABEL: "video", REVISION: "1"}}}


def workerpool(**spec: object) -> JsonObject:
    return {"metadata": {"name": "video"}, "spec": spec}


@pytest.fixture
def server() -> Iterator[ApiServer]:
    server = ApiServer()
    server.objects |= {"deployments": [DEPLOYMENT], "workerpools": [workerpool(paused=True, max=2)]}
    yield server
    server.close()


Start = Callable[[], KubernetesPlatform]


@pytest.fixture
def start(server: ApiServer) -> Iterator[Start]:
    platform = KubernetesPlatform(server.api, lambda: {"video": POOL}, lease="scaling")

    def start() -> KubernetesPlatform:
        platform._caches.start()
        return platform

    yield start
    server.restart()
    platform.close()


def seen(platform: KubernetesPlatform) -> Sight | None:
    """Return the pool, once something may be decided from what is seen."""
    try:
        return platform.look()["video"]
    except PlatformError:
        return None


def test_a_paused_pool_stays_paused_while_a_server_that_starts_does_not_let_us_read_that(
    server: ApiServer, start: Start
):
    platform = start()
    wait_until(lambda: seen(platform))
    opened = server.watches.copy()

    server.refusals["workerpools"] = 403
    server.restart()

    wait_until(lambda: server.refused["workerpools"] and server.watches["pods"] > opened["pods"])
    wait_until(lambda: platform._caches.workerpools_absent)
    sight = wait_until(lambda: seen(platform))
    assert (sight.overrides.paused, sight.overrides.most) == (True, 2)

    server.objects["workerpools"] = [workerpool(max=2)]
    del server.refusals["workerpools"]
    wait_until(lambda: (sight := seen(platform)) and sight.overrides.paused is None)


@pytest.mark.parametrize("status", [403, 500, 503])
def test_nothing_is_decided_before_it_is_known_what_people_ask_for(server: ApiServer, start: Start, status: int):
    server.refusals["workerpools"] = status
    platform = start()
    wait_until(lambda: server.refused["workerpools"] and server.watches["pods"] and server.watches["deployments"])
    wait_until(platform._caches._listing.complete.is_set)

    with pytest.raises(PlatformError, match="WorkerPools were not seen yet"):
        platform.look()

    del server.refusals["workerpools"]
    sight = wait_until(lambda: seen(platform))
    assert sight.overrides.paused


def test_without_a_definition_of_workerpool_nobody_is_waited_for(server: ApiServer, start: Start):
    server.refusals["workerpools"] = 404
    platform = start()

    sight = wait_until(lambda: seen(platform))

    assert sight.overrides.paused is None


def test_a_right_that_never_comes_is_not_waited_for_for_ever(
    server: ApiServer, start: Start, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("heavylift_controller.cluster.absence.FORBIDDEN_SECONDS", 0.5)
    server.refusals["workerpools"] = 403
    platform = start()

    sight = wait_until(lambda: seen(platform))

    assert sight.overrides.paused is None


def test_a_server_that_forbids_everything_says_nothing_of_what_people_ask_for(
    server: ApiServer, start: Start, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("heavylift_controller.cluster.absence.FORBIDDEN_SECONDS", 1.0)
    monkeypatch.setattr("heavylift_controller.cluster.watch.LONGEST_PAUSE", 0.1)
    server.refusals |= dict.fromkeys(["workerpools", "pods", "deployments"], 403)
    platform = start()
    wait_until(lambda: server.refused["workerpools"] >= 25)

    server.refusals = {"workerpools": 403}
    wait_until(lambda: server.watches["pods"])

    with pytest.raises(PlatformError, match="WorkerPools were not seen yet"):
        platform.look()


def test_another_autoscaler_keeps_a_pool_that_may_not_be_read_for_a_while_and_a_quota_does_not(
    server: ApiServer, start: Start, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("heavylift_controller.cluster.listing.EVERY", 0.1)
    server.objects |= {"horizontalpodautoscalers": [HPA], "resourcequotas": [FULL]}
    platform = start()
    before = wait_until(lambda: seen(platform))
    assert (before.owner, before.quota_room) == ("HorizontalPodAutoscaler/others", 0)

    server.refusals |= dict.fromkeys(["horizontalpodautoscalers", "resourcequotas"], 403)
    wait_until(lambda: server.refused["resourcequotas"] >= 2)

    after = wait_until(lambda: seen(platform))
    assert (after.owner, after.quota_room) == ("HorizontalPodAutoscaler/others", None)


def test_nobody_is_too_many_by_replica_sets_that_may_not_be_read(server: ApiServer, start: Start):
    server.objects |= {"replicasets": [REPLICA_SET], "pods": [worker("a"), worker("b")]}
    platform = start()
    wait_until(lambda: (sight := seen(platform)) and sight.surplus == {"1": 1})

    server.refusals["replicasets"] = 403
    server.restart()

    wait_until(lambda: server.refused["replicasets"])
    wait_until(lambda: (sight := seen(platform)) and len(sight.pods) == 2 and sight.surplus == {})
