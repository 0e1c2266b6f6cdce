"""Kubernetes as the place where workers run, with the rights that the chart gives the controller and no others."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator

import pytest

from heavylift_controller.cluster.api import ApiError
from heavylift_controller.cluster.lease import GIVE_UP
from heavylift_controller.cluster.platform import KubernetesPlatform
from heavylift_controller.cluster.pods import COST, POOL
from heavylift_controller.scaler.platform import DRAINED, PlatformError, Scaled, Stage
from heavylift_controller.scaler.pools import Pool
from heavylift_controller.scaler.status import PoolStatus, as_json
from heavylift_controller.scaling import Decision, Inputs, Limiter, Memory, Terms
from tests.e2e.commands import run
from tests.e2e.conftest import REPOSITORY, NamespaceFactory
from tests.e2e.namespace import Namespace
from tests.e2e.pool_place import QUEUES, Place, at, connected, deployment, role
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def place(new_namespace: NamespaceFactory) -> Iterator[Namespace]:
    """A namespace with the account, and with the definition of WorkerPool in its cluster."""
    with new_namespace("platform") as namespace:
        namespace.cluster.kubectl("apply", "-f", str(REPOSITORY / "charts/heavylift/crds/workerpools.yaml"))
        namespace.apply(*role())
        yield namespace


@pytest.fixture
def pool(place: Namespace) -> Iterator[Place]:
    """A pool of the test's own, of one pod at first."""
    name = f"p-{secrets.token_hex(3)}"
    place.apply(deployment(name))
    with at(place, name) as found:
        yield found
    place.kubectl("delete", "deployment", name, "--wait=false")


# --- the number ----------------------------------------------------------------------------------------------------


def test_a_pool_is_seen_as_it_is(pool: Place):
    sight = pool.grow(2)

    assert all(pod.ready and pod.cost is None and pod.revision for pod in sight.pods)
    assert (sight.rollout, sight.owner, sight.scaled_by, sight.quota_room) == (False, "", "", None)
    again = pool.platform.look_again(pool.name)
    assert {pod.name for pod in again.pods} == {pod.name for pod in sight.pods}
    assert again.read_ago < 5


def test_a_number_that_somebody_else_sets_is_seen_with_who_and_when(pool: Place):
    pool.grow(1)
    before = time.time()

    pool.kubectl("scale", "deployment", pool.name, "--replicas=2")

    sight = pool.wait(lambda sight: sight.replicas == 2, what="the new number", timeout=2)
    assert sight.scaled_by == "kubectl"
    assert before - 1 <= sight.scaled_at <= time.time()
    assert pool.platform.look_again(pool.name).scaled_at == pytest.approx(sight.scaled_at, abs=0.5)
    pool.shrink(1)
    pool.wait(lambda sight: sight.scaled_by == "", what="a number of ours")


def test_the_number_is_set_only_if_it_is_the_one_decided_from(pool: Place):
    pool.grow(1)

    assert pool.platform.scale(pool.name, current=2, to=3) is Scaled.CHANGED
    assert pool.platform.look_again(pool.name).replicas == 1
    pool.shrink(0)
    assert pool.platform.scale(pool.name, current=1, to=2) is Scaled.CHANGED
    assert pool.platform.scale(pool.name, current=0, to=1) is Scaled.DONE
    assert pool.platform.scale(pool.name, current=0, to=2) is Scaled.CHANGED
    assert pool.platform.look_again(pool.name).replicas == 1


def test_a_lower_number_is_set_only_if_nothing_has_changed_though_the_number_is_the_same_again(pool: Place):
    pool.grow(2)
    assert pool.platform.look_again(pool.name).replicas == 2

    pool.kubectl("scale", "deployment", pool.name, "--replicas=3")
    pool.kubectl("scale", "deployment", pool.name, "--replicas=2")

    assert pool.platform.scale(pool.name, current=2, to=1) is Scaled.CHANGED
    assert pool.platform.look_again(pool.name).replicas == 2
    pool.shrink(1)
    assert pool.platform.look_again(pool.name).replicas == 1


def test_without_the_right_the_number_is_refused(place: Namespace, pool: Place):
    pool.grow(1)
    place.kubectl("create", "serviceaccount", "onlooker")
    view = ("--clusterrole=view", f"--serviceaccount={place.name}:onlooker")
    place.kubectl("create", "rolebinding", "onlooker", *view)
    name = pool.name
    settings = Pool(deployment=name, resource=name, queues=QUEUES)
    onlooker = KubernetesPlatform(connected(place, "onlooker"), lambda: {name: settings}, lease="none")

    assert onlooker.scale(name, current=1, to=2) is Scaled.REFUSED
    assert pool.platform.look_again(name).replicas == 1


def test_the_account_may_not_change_what_pods_run(place: Namespace, pool: Place):
    [pod] = pool.grow(1).pods
    api = connected(place)

    for path in (api.path("v1", "pods", pod.name), api.path("apps/v1", "deployments", pool.name)):
        with pytest.raises(ApiError, match="forbidden"):
            api.request(
                "PATCH", path, {"metadata": {"labels": {"a": "b"}}}, content_type="application/merge-patch+json"
            )
    with pytest.raises(ApiError, match="forbidden"):
        api.request("DELETE", api.path("v1", "pods", pod.name))
    api.close()


# --- who goes ------------------------------------------------------------------------------------------------------


def test_marked_pods_are_the_first_to_go(pool: Place):
    sight = pool.grow(5)
    going = [pod.name for pod in sight.pods][1:3]

    pool.platform.mark(pool.name, going)
    pool.platform.mark(pool.name, going)  # again, as after a crash
    assert {pod.name for pod in pool.platform.look_again(pool.name).pods if pod.cost == DRAINED} == set(going)
    pool.shrink(3)

    left = pool.wait(lambda sight: sight.settled and len(sight.staying) == 3, what="two fewer")
    assert {pod.name for pod in left.staying} == {pod.name for pod in sight.pods} - set(going)


def test_a_mark_is_taken_back_and_another_cost_is_left_alone(pool: Place):
    ours, others = [pod.name for pod in pool.grow(2).pods]
    pool.kubectl("annotate", "pod", others, f"{COST}=7")

    pool.platform.mark(pool.name, [ours, "gone"])
    with pytest.raises(PlatformError, match="not ours: 7"):
        pool.platform.mark(pool.name, [others])
    pool.platform.unmark(pool.name, [ours, others, "gone"])

    costs = {pod.name: pod.cost for pod in pool.platform.look_again(pool.name).pods}
    assert costs == {ours: None, others: 7}


def test_a_pod_without_any_annotation_can_be_marked(place: Namespace, pool: Place):
    bare = {"name": "bare", "labels": {POOL: pool.name}}
    spec = deployment("x")["spec"]["template"]["spec"]
    place.apply({"apiVersion": "v1", "kind": "Pod", "metadata": bare, "spec": spec})
    place.kubectl("annotate", "pod", "bare", "kubectl.kubernetes.io/last-applied-configuration-")

    pool.platform.mark(pool.name, ["bare"])

    shown = json.loads(place.kubectl("get", "pod", "bare", "--output", "json"))
    assert shown["metadata"]["annotations"] == {COST: str(DRAINED)}


def test_pods_that_do_not_come_up_are_told_apart(place: Namespace):
    place.apply(deployment("starting", ready=False), deployment("unschedulable", cpu="1000"))
    for name, stage in {"starting": Stage.STARTING, "unschedulable": Stage.UNSCHEDULABLE}.items():
        with at(place, name, leads=False) as found:
            sight = found.wait(lambda sight, want=stage: [pod.stage for pod in sight.pods] == [want], what=stage)
            assert not sight.pods[0].ready
    place.kubectl("delete", "deployment", "starting", "unschedulable", "--wait=false")


def test_a_rollout_is_seen_until_it_is_over(place: Namespace, pool: Place):
    before = pool.grow(2)

    place.apply(deployment(pool.name, version="2"))

    pool.wait(lambda sight: sight.rollout, what="a rollout", timeout=5)
    after = pool.wait(lambda sight: sight.settled and not sight.rollout, what="the rollout's end")
    assert {pod.revision for pod in after.staying} != {pod.revision for pod in before.staying}
    assert after.replicas == 2


# --- others --------------------------------------------------------------------------------------------------------


def test_another_autoscaler_and_a_quota_are_seen(new_namespace: NamespaceFactory):
    with new_namespace("others") as namespace:
        namespace.apply(*role(), deployment("video"))
        namespace.kubectl("autoscale", "deployment", "video", "--min=1", "--max=2", "--cpu=50%")
        namespace.kubectl("create", "quota", "few", "--hard=pods=4")
        wait_until(lambda: '"pods"' in namespace.kubectl("get", "quota", "few", "-o", "jsonpath={.status.used}"))
        with at(namespace, "video", leads=False) as found:
            sight = found.wait(lambda sight: sight.owner and sight.quota_room is not None, what="both")
        assert (sight.owner, sight.quota_room) == ("HorizontalPodAutoscaler/video", 3)


# --- people --------------------------------------------------------------------------------------------------------


def shown(replicas: int) -> tuple[Decision, dict[str, object]]:
    decision = Decision(1, replicas, replicas, 0, Limiter.SLO, "", Inputs(), Terms(), Memory())
    status = PoolStatus(
        "video", ("video",), 7, 1, 3.0, 1, replicas, 1, (), "slo", "As many begin in time.", decided_at=1e9
    )
    return decision, as_json(status)


def test_people_see_a_pool_and_hold_it(pool: Place):
    wait_until(lambda: pool.name in pool.kubectl("get", "workerpools", "--output", "name"), 20, what="a WorkerPool")

    pool.platform.show(pool.name, *shown(4))
    wait_until(lambda: " 7 " in pool.kubectl("get", "workerpool", pool.name), 10, what="a status", every=0.2)
    pool.kubectl("scale", "workerpool", pool.name, "--replicas=5")
    held = pool.wait(lambda sight: sight.overrides.hold_at == 5, what="a hold", timeout=5)
    assert held.overrides.held_by  # Kubernetes does not note who has set what was not there

    pool.platform.release(pool.name)
    pool.wait(lambda sight: sight.overrides.hold_at is None, what="the hold's end", timeout=5)


def test_what_happened_is_told_once(pool: Place):
    wait_until(lambda: pool.name in pool.kubectl("get", "workerpools", "--output", "name"), 20, what="a WorkerPool")

    for _ in range(3):
        pool.platform.note(pool.name, "ScaledOut", "8 workers instead of 3", warning=True)

    def told() -> list[str]:
        return [line for line in pool.kubectl("get", "events").splitlines() if "8 workers" in line]

    wait_until(told, 10, what="an Event", every=0.2)
    assert [line.split()[1:4] for line in told()] == [["Warning", "ScaledOut", f"workerpool/{pool.name}"]]


# --- outages ---------------------------------------------------------------------------------------------------------


def test_while_the_api_server_hangs_nobody_leads_and_then_the_same_one_anew(place: Namespace, pool: Place):
    before = pool.platform.leadership.epoch()
    node = place.cluster.node

    run("docker", "exec", node, "pkill", "-STOP", "kube-apiserver")
    try:
        wait_until(lambda: pool.platform.leadership.epoch() is None, GIVE_UP + 3, what="the end of leadership")
        with pytest.raises(PlatformError):
            pool.platform.scale(pool.name, current=1, to=2)
    finally:
        run("docker", "exec", node, "pkill", "-CONT", "kube-apiserver")

    assert before is not None
    wait_until(lambda: (pool.platform.leadership.epoch() or 0) > before, 30, what="a new leadership")
    pool.wait(lambda _: True, what="the pool")


def test_what_is_seen_is_refused_while_the_api_server_is_down_and_true_again_afterwards(place: Namespace, pool: Place):
    pool.grow(1)
    node = place.cluster.node

    def refused() -> bool:
        try:
            pool.platform.look()
        except PlatformError:
            return True
        return False

    manifest, aside = "/etc/kubernetes/manifests/kube-apiserver.yaml", "/tmp/kube-apiserver.yaml"
    run("docker", "exec", node, "mv", manifest, aside)
    try:
        wait_until(refused, 60, what="that it says so")
    finally:
        run("docker", "exec", node, "mv", aside, manifest)

    wait_until(lambda: not refused(), 120, what="the API server", every=0.2)
    wait_until(pool.platform.leadership.epoch, 30, what="leadership")
    assert pool.platform.scale(pool.name, current=1, to=2) is Scaled.DONE
    pool.wait(lambda sight: sight.replicas == 2 and len(sight.staying) == 2, what="the next change", timeout=60)
