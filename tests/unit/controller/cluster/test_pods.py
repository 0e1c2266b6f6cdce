from __future__ import annotations

from datetime import datetime

import pytest

from heavylift_controller.cluster.pods import COST, STEADY_SECONDS, WORKER, read_pod
from heavylift_controller.scaler.platform import DRAINED, Pod, Stage
from tests.unit.controller.cluster.recorded import PODS, pod

NOW = datetime.fromisoformat("2026-11-23T05:56:20Z").timestamp()
"""A little after the pods were recorded."""

STAGES = {
    "unschedulable": Stage.UNSCHEDULABLE,
    "creating": Stage.PENDING,
    "starting": Stage.STARTING,
    "running": Stage.RUNNING,
    "drained": Stage.RUNNING,
    "leaving": Stage.RUNNING,
    "crash": Stage.FAILING,
    "crash-running": Stage.RUNNING,
    "oom": Stage.FAILING,
    "oom-running": Stage.RUNNING,
    "image": Stage.FAILING,
    "config": Stage.FAILING,
    "initcrash": Stage.FAILING,
}


def seen(obj: dict, now: float = NOW) -> Pod:
    return read_pod(obj).at(now)


@pytest.mark.parametrize("name", PODS)
def test_the_stage_of_a_recorded_pod(name: str):
    assert seen(pod(name)).stage is STAGES[name]


def test_readiness_leaving_cost_and_revision_of_recorded_pods():
    assert {name for name in PODS if seen(pod(name)).ready} == {"running", "leaving", "crash-running", "oom-running"}
    assert {name for name in PODS if seen(pod(name)).leaving} == {"leaving"}
    assert {name: cost for name in PODS if (cost := seen(pod(name)).cost) is not None} == {"running": DRAINED}
    assert seen(pod("running")).revision == pod("running")["metadata"]["labels"]["pod-template-hash"]


def unready(name: str) -> dict:
    obj = pod(name)
    [ready] = [each for each in obj["status"]["conditions"] if each["type"] == "Ready"]
    ready["status"] = "False"
    return obj


def with_sidecar(name: str, sidecar: str) -> dict:
    """Return a worker's pod with another container beside it, that of another pod."""
    obj = unready(name)
    [own] = obj["status"]["containerStatuses"]
    [other] = pod(sidecar)["status"]["containerStatuses"]
    obj["status"]["containerStatuses"] = [{**other, "name": "a-proxy"}, {**own, "name": WORKER}]
    return obj


def test_a_pod_that_crashed_repeatedly_is_no_longer_failing_once_it_has_run_for_a_while():
    crashed = unready("crash-running")
    started = crashed["status"]["containerStatuses"][0]["state"]["running"]["startedAt"]
    began = datetime.fromisoformat(started).timestamp()

    assert seen(crashed, began + STEADY_SECONDS - 1).stage is Stage.FAILING
    assert seen(crashed, began + STEADY_SECONDS).stage is Stage.RUNNING


def test_a_pod_that_is_ready_is_not_failing_however_often_it_was_restarted():
    assert seen(pod("crash-running")).stage is Stage.RUNNING
    assert seen(unready("crash-running")).stage is Stage.FAILING


@pytest.mark.parametrize("sidecar", ["crash", "crash-running", "image"])
def test_a_sidecar_that_fails_is_no_failing_worker(sidecar: str):
    assert seen(with_sidecar("drained", sidecar)).stage is Stage.RUNNING
    assert seen(with_sidecar("starting", sidecar)).stage is Stage.STARTING
    assert seen(with_sidecar("crash", "running")).stage is Stage.FAILING


def test_a_sidecar_that_is_an_init_container_fails_no_worker_that_has_started():
    obj = unready("drained")
    obj["status"]["initContainerStatuses"] = pod("initcrash")["status"]["initContainerStatuses"]

    assert seen(obj).stage is Stage.RUNNING


def test_a_pod_whose_container_was_started_again_once_is_starting_until_it_is_ready():
    restarted = pod("drained")
    [container] = restarted["status"]["containerStatuses"]
    container["restartCount"] = 1
    container["state"]["running"]["startedAt"] = "2026-11-23T05:56:10Z"

    assert seen(restarted).stage is Stage.STARTING


def test_a_pod_that_was_evicted_counts_no_more():
    evicted = pod("running")
    evicted["status"] = {"phase": "Failed", "reason": "Evicted"}

    assert seen(evicted).leaving


@pytest.mark.parametrize(("given", "cost"), [("5", 5), ("-2147483647", DRAINED), ("soon", 0), ("", 0)])
def test_a_cost_that_is_not_ours_is_told_apart_even_where_it_is_no_number(given: str, cost: int):
    marked = pod("creating")
    marked["metadata"]["annotations"] = {COST: given}

    assert seen(marked).cost == cost


def test_a_boot_begins_when_a_node_is_found():
    waited = pod("starting")
    [scheduled] = [each for each in waited["status"]["conditions"] if each["type"] == "PodScheduled"]
    scheduled["lastTransitionTime"] = "2026-11-23T05:56:15Z"
    unscheduled = pod("unschedulable")

    assert (seen(waited).age, seen(waited).began_at) == (5, NOW - 5)
    assert (
        seen(unscheduled).began_at == datetime.fromisoformat(unscheduled["metadata"]["creationTimestamp"]).timestamp()
    )


def test_the_age_is_since_the_creation_and_never_negative():
    created = datetime.fromisoformat(pod("running")["metadata"]["creationTimestamp"]).timestamp()

    assert seen(pod("running"), created + 7).age == 7
    assert seen(pod("running"), created - 7).age == 0


@pytest.mark.parametrize("odd", [{}, {"metadata": None, "status": []}, {"status": {"conditions": {}}}])
def test_an_odd_object_is_a_pod_of_which_nothing_is_known(odd: dict):
    assert seen(odd) == Pod("", age=NOW, stage=Stage.PENDING, ready=False)
