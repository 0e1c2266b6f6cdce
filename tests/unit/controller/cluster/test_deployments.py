from __future__ import annotations

from dataclasses import replace

import pytest

from heavylift_controller.cluster.deployments import (
    EXPECTED_SECONDS,
    MOST_EXPECTED,
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


def scaled_by(name: str, replicas: int, generation: int = 1) -> SeenDeployment:
    """Return one Deployment as it is after somebody, or nobody that is noted, has set its number."""
    found = read_deployment(deployment(name)) if name else replace(settled_at(0, scaled_by=""), owner=None)
    return replace(found, name="video", uid="1", replicas=replicas, generation=generation, heeded=True)


def leading() -> Scalings:
    return Scalings(lambda: True)


def test_a_number_changed_while_we_look_on_gets_the_time_at_which_it_was_seen():
    scalings = leading()

    assert scalings.told(scaled_by("ours", 2), 100.0).scaled_at == 0
    assert scalings.told(scaled_by("scaled", 3), 200.0).scaled_at == 200
    assert scalings.told(scaled_by("scaled", 3), 300.0).scaled_at == 200
    assert scalings.told(scaled_by("scaled", 9), 400.0).scaled_at == 400
    assert scalings.told(scaled_by("ours", 8), 500.0).scaled_at == 0


def test_of_a_number_that_stood_there_before_the_time_is_not_known():
    seen = leading().told(scaled_by("scaled", 2), 200.0)

    assert (seen.scaled_by, seen.scaled_at) == ("kubectl", 0)


def test_a_time_that_kubernetes_has_noted_is_the_time():
    edited = scaled_by("edited", 5)
    scalings = leading()
    scalings.told(scaled_by("ours", 2), 100.0)

    assert scalings.told(edited, 200.0).scaled_at == edited.scaled_at


def test_a_number_that_nobody_is_noted_for_is_somebodys_unless_we_have_set_it():
    scalings = leading()
    scalings.told(scaled_by("", 0), 100.0)

    scalings.expect("video", 3, 110.0)
    ours = scalings.told(scaled_by("", 3), 111.0)
    theirs = scalings.told(scaled_by("", 5), 120.0)
    again = scalings.told(scaled_by("", 3), 130.0)

    assert (ours.scaled_by, ours.scaled_at) == ("", 0)
    assert (theirs.scaled_by, theirs.scaled_at) == ("somebody", 120)
    assert (again.scaled_by, again.scaled_at) == ("somebody", 130)  # we have set it to 3 once, not twice


def test_a_number_stays_somebodys_when_it_is_claimed_as_it_is():
    scalings = leading()
    scalings.told(scaled_by("", 0), 100.0)
    scalings.told(scaled_by("", 5), 120.0)

    assert scalings.told(scaled_by("ours", 5), 121.0).scaled_by == "somebody"


def test_a_number_that_nobody_is_noted_for_may_be_the_leaders_while_we_do_not_lead():
    scalings = Scalings(lambda: False)
    scalings.told(scaled_by("", 0), 100.0)

    assert scalings.told(scaled_by("", 3), 120.0).scaled_by == ""


def test_what_we_did_not_set_after_all_is_not_expected():
    scalings = leading()
    scalings.told(scaled_by("", 0), 100.0)
    scalings.expect("video", 3, 100.0)
    scalings.forget("video", 3)

    assert scalings.told(scaled_by("", 3), 101.0).scaled_by == "somebody"


@pytest.mark.parametrize("newer", [5, 8])
def test_a_request_without_an_answer_is_expected_though_a_newer_one_was_refused(newer: int):
    scalings = leading()
    scalings.told(scaled_by("", 0), 100.0)
    scalings.expect("video", 5, 100.0)
    scalings.expect("video", newer, 106.0)
    scalings.forget("video", newer)

    assert scalings.told(scaled_by("", 5), 106.0).scaled_by == ""


@pytest.mark.parametrize("landed", [5, 8])
def test_whichever_of_two_requests_without_an_answer_has_set_the_number_it_is_ours(landed: int):
    scalings = leading()
    scalings.told(scaled_by("", 0), 100.0)
    scalings.expect("video", 5, 100.0)
    scalings.expect("video", 8, 106.0)

    assert scalings.told(scaled_by("", landed), 134.0).scaled_by == ""


def test_a_number_that_somebody_is_noted_for_is_theirs_though_we_meant_to_set_the_same():
    scalings = leading()
    scalings.told(scaled_by("ours", 2), 100.0)
    scalings.expect("video", 5, 100.0)

    assert scalings.told(scaled_by("scaled", 5), 101.0).scaled_by == "kubectl"


def test_of_many_requests_the_newest_are_remembered():
    scalings = leading()
    scalings.told(scaled_by("", 0), 100.0)
    for number in range(1, MOST_EXPECTED + 2):
        scalings.expect("video", number, 100.0)

    assert scalings.told(scaled_by("", 2), 101.0).scaled_by == ""
    assert scalings.told(scaled_by("", 1), 102.0).scaled_by == "somebody"


def test_what_we_meant_to_set_long_ago_is_no_longer_expected():
    scalings = leading()
    scalings.told(scaled_by("", 0), 100.0)
    scalings.expect("video", 3, 100.0)

    assert scalings.told(scaled_by("", 3), 100.0 + EXPECTED_SECONDS).scaled_by == "somebody"


def test_an_older_copy_that_comes_late_is_not_taken_for_a_change():
    scalings = leading()
    scalings.told(scaled_by("", 5, 1), 100.0)
    scalings.expect("video", 3, 110.0)
    scalings.told(scaled_by("", 3, 2), 110.1)

    late = scalings.told(scaled_by("", 5, 1), 110.2)
    caught_up = scalings.told(scaled_by("", 3, 2), 110.3)

    assert (late.replicas, late.scaled_by, late.heeded) == (3, "", False)
    assert (caught_up.replicas, caught_up.scaled_by, caught_up.heeded) == (3, "", True)


def test_an_older_copy_leaves_a_number_somebodys():
    scalings = leading()
    scalings.told(scaled_by("ours", 5, 1), 100.0)
    scalings.told(scaled_by("scaled", 9, 3), 110.0)

    late = scalings.told(scaled_by("ours", 4, 2), 111.0)

    assert (late.replicas, late.scaled_by, late.scaled_at) == (9, "kubectl", 110)
    assert scalings.told(scaled_by("scaled", 9, 3), 112.0).scaled_at == 110


def test_a_deployment_made_anew_begins_anew():
    scalings = leading()
    scalings.told(scaled_by("ours", 5, 7), 100.0)

    anew = scalings.told(replace(scaled_by("ours", 2, 1), uid="2"), 110.0)

    assert (anew.replicas, anew.heeded) == (2, True)


def test_a_recorded_deployment_is_read():
    found = read_deployment(deployment("scaled"))

    assert (found.name, found.replicas, str(found.selector)) == ("scaled", 2, "app=scaled")
    assert found.generation == 2
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
    sets = [SeenReplicaSet("uid", "1", 1, 2), SeenReplicaSet("uid", "2", 2, 2)]
    pods = [a_pod("1"), a_pod("1"), a_pod("1", leaving=True), a_pod("2"), a_pod("unknown")]

    assert surplus(pods, sets) == {"1": 1}


def test_pods_that_a_replica_set_of_a_moment_ago_does_not_know_are_not_beyond_it():
    before_it_was_raised = SeenReplicaSet("uid", "1", 1, 1)

    assert surplus([a_pod("1"), a_pod("1")], [before_it_was_raised]) == {}


def test_a_replica_set_is_read():
    obj = {
        "metadata": {
            "labels": {REVISION: "abc"},
            "ownerReferences": [{"uid": "other"}, {"uid": "mine", "controller": True}],
        },
        "spec": {"replicas": 0},
    }

    assert read_replica_set(obj) == SeenReplicaSet("mine", "abc", 0, 0)
