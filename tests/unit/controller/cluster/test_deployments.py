from __future__ import annotations

from dataclasses import replace

import pytest

from heavylift_controller.cluster.deployments import (
    Scalings,
    SeenDeployment,
    SeenReplicaSet,
    read_deployment,
    read_replica_set,
    surplus,
)
from heavylift_controller.cluster.pods import REVISION, SeenPod, read_pod
from tests.unit.controller.cluster.recorded import DEPLOYMENTS, deployment, pod

SOMEBODY = {
    "scaled": "kubectl",
    "edited": "kubectl-edit",
    "patched": "kubectl-patch",
    "hpa": "kube-controller-manager",
    "ssa": "kubectl",
    "applied-number": "kubectl-client-side-apply",
}
"""All others came with the Deployment, or are Helm's, or ours."""


def a_pod(revision: str = "1", *, leaving: bool = False) -> SeenPod:
    return replace(read_pod(pod("running")), labels={REVISION: revision}, leaving=leaving)


def settled_at(count: int, **changes: object) -> SeenDeployment:
    found = read_deployment(deployment("scaled"))
    return replace(found, **{"replicas": count, "existing": count, "updated": count, "heeded": True, **changes})


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_who_has_set_the_number_of_a_recorded_deployment(name: str):
    assert read_deployment(deployment(name)).scaled_by == SOMEBODY.get(name, "")


def test_what_kubernetes_notes_of_the_time_at_which_a_number_was_set():
    assert read_deployment(deployment("edited")).scaled_at > 1.7e9
    assert read_deployment(deployment("scaled")).scaled_at == 0  # the scale subresource notes none


def test_a_number_changed_while_we_look_on_gets_the_time_at_which_it_was_seen():
    scalings = Scalings()
    scaled = read_deployment(deployment("scaled"))
    ours = read_deployment(deployment("ours"))
    ours = replace(ours, name=scaled.name, uid=scaled.uid)

    assert scalings.dated(ours, 100.0).scaled_at == 0
    assert scalings.dated(scaled, 200.0).scaled_at == 200
    assert scalings.dated(scaled, 300.0).scaled_at == 200
    assert scalings.dated(replace(scaled, replicas=9), 400.0).scaled_at == 400
    assert scalings.dated(ours, 500.0).scaled_at == 0


def test_of_a_number_that_stood_there_before_the_time_is_not_known():
    assert Scalings().dated(read_deployment(deployment("scaled")), 200.0).scaled_at == 0


def test_a_time_that_kubernetes_has_noted_is_the_time():
    edited = read_deployment(deployment("edited"))

    assert Scalings().dated(edited, 200.0).scaled_at == edited.scaled_at


def test_a_recorded_deployment_is_read():
    found = read_deployment(deployment("scaled"))

    assert (found.name, found.replicas, str(found.selector)) == ("scaled", 2, "app=scaled")
    assert found.settled([a_pod(), a_pod()])
    assert not found.rollout([a_pod(), a_pod()])


@pytest.mark.parametrize(
    ("found", "pods", "settled"),
    [
        (settled_at(2), 2, True),
        (settled_at(2, heeded=False), 2, False),
        (settled_at(2, existing=3), 2, False),
        (settled_at(2), 3, False),
        (settled_at(5, existing=2), 2, True),  # a quota admits no more: nobody is deleted for that
    ],
)
def test_settled_is_when_nobody_is_going_to_be_deleted_for_the_number(
    found: SeenDeployment, pods: int, *, settled: bool
):
    assert found.settled([a_pod()] * pods + [a_pod(leaving=True)]) is settled


@pytest.mark.parametrize(
    ("found", "pods", "rollout"),
    [
        (settled_at(2), [a_pod(), a_pod()], False),
        (settled_at(2), [a_pod("1"), a_pod("2")], True),
        (settled_at(2), [a_pod("1"), a_pod("2", leaving=True)], False),
        (settled_at(2, updated=1), [a_pod(), a_pod()], True),
        (settled_at(2, paused=True), [a_pod(), a_pod()], True),
        (settled_at(0), [], False),
    ],
)
def test_a_rollout_is_when_pods_of_two_templates_are_there_or_may_be(
    found: SeenDeployment, pods: list[SeenPod], *, rollout: bool
):
    assert found.rollout(pods) is rollout


def test_what_is_there_beyond_what_each_replica_set_is_to_have():
    sets = [SeenReplicaSet("uid", "1", 1), SeenReplicaSet("uid", "2", 2)]
    pods = [a_pod("1"), a_pod("1"), a_pod("1", leaving=True), a_pod("2"), a_pod("unknown")]

    assert surplus(pods, sets) == {"1": 1}


def test_a_replica_set_is_read():
    obj = {
        "metadata": {
            "labels": {REVISION: "abc"},
            "ownerReferences": [{"uid": "other"}, {"uid": "mine", "controller": True}],
        },
        "spec": {"replicas": 0},
    }

    assert read_replica_set(obj) == SeenReplicaSet("mine", "abc", 0)
