"""The guard: the ReplicaSet controller deletes no worker that was not drained, and nobody else is hindered.

No controller of ours runs here, so nothing is drained unless the test does it: it marks a pod as the controller would.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from heavylift_controller.scaler.platform import DRAINED
from tests.e2e.cluster import Cluster
from tests.e2e.commands import run
from tests.e2e.conftest import NamespaceFactory
from tests.e2e.manifests import CONTAINER_SECURITY, POD_SECURITY, REDIS_IMAGE
from tests.e2e.namespace import Namespace
from tests.e2e.release import CHART, HELM
from tests.waiting import wait_until

RELEASE = "guarded"
POLICY = Path("templates", "workers", "validatingadmissionpolicy.yaml")
LABELS = {
    "app.kubernetes.io/name": "heavylift",
    "app.kubernetes.io/instance": RELEASE,
    "app.kubernetes.io/component": "worker",
    "heavylift.dev/pool": "video",
}
POOL = "deployment/worker"


@pytest.fixture(scope="module")
def guarded(new_namespace: NamespaceFactory) -> Iterator[Namespace]:
    """A namespace with the guard of a release, in force."""
    with new_namespace("guard-alone") as namespace:
        policy = _rendered(namespace)
        namespace.apply(*policy)
        try:
            # A policy is in force some moments after it is there.
            wait_until(lambda: _in_force(namespace), 60, what="the guard", every=0.5)
            yield namespace
        finally:
            for each in policy:
                namespace.cluster.kubectl("delete", each["kind"], each["metadata"]["name"])


@pytest.fixture
def pool(guarded: Namespace) -> Iterator[Namespace]:
    """Three workers under the guard."""
    guarded.apply(_deployment(3))
    _wait_for_ready(guarded, 3)
    yield guarded
    guarded.kubectl("delete", POOL, "--ignore-not-found", "--wait", "--cascade=foreground")
    wait_until(lambda: not _pods(guarded), 60, what="the end of the pods", every=0.2)


def _rendered(namespace: Namespace) -> list[dict[str, Any]]:
    values = {
        "scaling": {"engine": "builtin", "guard": {"enabled": True}},
        "redis": {"auth": {"existingSecret": "any"}},
        "api": {"apiKeys": {"existingSecret": "any"}},
        "flower": {"enabled": False},
    }
    command = (HELM, "template", RELEASE, CHART, "--namespace", namespace.name, "--kube-version", "1.34.0")
    text = run(*command, "--values", "-", "--show-only", str(POLICY), stdin=json.dumps(values))
    return list(yaml.safe_load_all(text))


def _deployment(replicas: int, **pod: object) -> dict[str, Any]:
    container = {
        "name": "worker",
        "image": REDIS_IMAGE,
        "command": ["sleep", "3600"],
        "securityContext": CONTAINER_SECURITY,
        "resources": {"requests": {"cpu": "1m", "memory": "1Mi"}},
    }
    spec = {
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
        "securityContext": POD_SECURITY,
        "containers": [container],
        **pod,
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "worker", "labels": LABELS},
        "spec": {
            "replicas": replicas,
            "strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "selector": {"matchLabels": LABELS},
            "template": {"metadata": {"labels": LABELS}, "spec": spec},
        },
    }


def _pods(namespace: Namespace) -> set[str]:
    return {pod.metadata.name for pod in namespace.pods("app.kubernetes.io/component=worker")}


def _wait_for_ready(namespace: Namespace, count: int) -> None:
    wait_until(lambda: namespace.deployment("worker").status.ready_replicas == count, 60, what="the pods", every=0.2)


def _mark(namespace: Namespace, pod: str) -> None:
    """Do what the controller does once a worker is drained."""
    cost = {"controller.kubernetes.io/pod-deletion-cost": str(DRAINED)}
    patch = json.dumps({"metadata": {"annotations": cost}})
    namespace.kubectl("patch", f"pod/{pod}", "--subresource=status", "--type=merge", "--patch", patch)


def _denials(namespace: Namespace) -> int:
    """Return how often the ReplicaSet controller was refused a deletion."""
    return sum(
        event.count or 1
        for event in namespace.events("worker")
        if event.reason == "FailedDelete" and "once Heavylift's controller has drained it" in (event.message or "")
    )


def _wait_for_denial(namespace: Namespace, before: int) -> None:
    wait_until(lambda: _denials(namespace) > before, 60, what="a refused deletion", every=0.2)


def _in_force(namespace: Namespace) -> bool:
    """Tell whether the guard refuses already, with a pod of its own whose deletion is only tried."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "probe", "labels": LABELS},
        "spec": _deployment(1)["spec"]["template"]["spec"],
    }
    namespace.apply(pod)
    namespace.kubectl("wait", "--for=condition=Ready", "pod/probe", "--timeout=30s")
    who = "--as=system:serviceaccount:kube-system:replicaset-controller"
    refused = "drained" in _said(namespace, "delete", "pod/probe", "--dry-run=server", who)
    if refused:
        namespace.kubectl("delete", "pod/probe", "--wait")
    return refused


def _said(namespace: Namespace, *arguments: str) -> str:
    try:
        return namespace.kubectl(*arguments)
    except AssertionError as error:
        return str(error)


def test_a_running_worker_stays_until_it_is_marked_and_then_goes_itself(pool: Namespace) -> None:
    before, denied = _pods(pool), _denials(pool)
    pool.kubectl("scale", POOL, "--replicas=2")
    _wait_for_denial(pool, denied)
    assert _pods(pool) == before
    victim = sorted(before)[1]
    _mark(pool, victim)
    wait_until(lambda: _pods(pool) == before - {victim}, 20, what="the marked worker's end", every=0.1)


def test_a_worker_that_never_ran_goes_unasked(pool: Namespace) -> None:
    before = _pods(pool)
    # A fourth one finds no node.
    pool.kubectl("cordon", pool.cluster.node)
    try:
        pool.kubectl("scale", POOL, "--replicas=4")
        wait_until(lambda: len(_pods(pool)) == 4, 20, what="a pending pod", every=0.1)
        pool.kubectl("scale", POOL, "--replicas=3")
        wait_until(lambda: _pods(pool) == before, 20, what="its end", every=0.1)
    finally:
        pool.kubectl("uncordon", pool.cluster.node)


def test_a_rollout_waits_for_each_old_worker_to_be_drained(pool: Namespace) -> None:
    old, denied = _pods(pool), _denials(pool)
    pool.kubectl("set", "env", POOL, "CHANGED=yes")
    for gone in range(1, 4):
        _wait_for_denial(pool, denied)
        assert len(old & _pods(pool)) == 4 - gone
        denied = _denials(pool)
        _mark(pool, min(old & _pods(pool)))
        wait_until(lambda gone=gone: len(old & _pods(pool)) == 3 - gone, 30, what="the end of an old one", every=0.1)
    pool.kubectl("rollout", "status", POOL, "--timeout=60s")


def test_a_number_that_is_raised_again_costs_nobody(pool: Namespace) -> None:
    before, denied = _pods(pool), _denials(pool)
    pool.kubectl("scale", POOL, "--replicas=1")
    _wait_for_denial(pool, denied)
    pool.kubectl("scale", POOL, "--replicas=3")
    wait_until(lambda: _settled(pool), 30, what="the ReplicaSet", every=0.2)
    _mark(pool, min(before))
    wait_until(lambda: _settled(pool), 30, what="the ReplicaSet", every=0.2)
    assert _pods(pool) == before


def test_whoever_else_deletes_a_pod_is_not_asked(pool: Namespace) -> None:
    deleted, evicted, *_ = sorted(_pods(pool))
    pool.kubectl("delete", f"pod/{deleted}", "--wait=false")
    body = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": evicted, "namespace": pool.name},
    }
    path = f"/api/v1/namespaces/{pool.name}/pods/{evicted}/eviction"
    pool.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(body))
    wait_until(lambda: not {deleted, evicted} & _pods(pool), 20, what="their end", every=0.1)


@pytest.mark.parametrize("cascade", ["background", "foreground"])
def test_a_deployment_is_deleted_with_its_pods(pool: Namespace, cascade: str) -> None:
    pool.kubectl("delete", POOL, f"--cascade={cascade}")
    wait_until(lambda: not _pods(pool), 30, what="the end of the pods", every=0.1)


def test_a_pod_of_another_release_is_none_of_its_business(pool: Namespace) -> None:
    other = _deployment(2)
    labels = LABELS | {"app.kubernetes.io/instance": "another"}
    other["metadata"] = {"name": "other"}
    other["spec"]["selector"]["matchLabels"] = labels
    other["spec"]["template"]["metadata"]["labels"] = labels
    pool.apply(other)
    try:
        pool.kubectl("rollout", "status", "deployment/other", "--timeout=60s")
        pool.kubectl("scale", "deployment/other", "--replicas=0")
        wait_until(lambda: not pool.pods("app.kubernetes.io/instance=another"), 20, what="their end", every=0.1)
    finally:
        pool.kubectl("delete", "deployment/other", "--cascade=foreground")


def test_a_namespace_under_guard_can_be_deleted(cluster: Cluster, new_namespace: NamespaceFactory) -> None:
    with new_namespace("guard-namespace") as namespace:
        policy = _rendered(namespace)
        namespace.apply(*policy, _deployment(2))
        try:
            _wait_for_ready(namespace, 2)
            wait_until(lambda: _in_force(namespace), 60, what="the guard", every=0.5)
            cluster.kubectl("delete", "namespace", namespace.name, "--wait", "--timeout=90s")
        finally:
            for each in policy:
                cluster.kubectl("delete", each["kind"], each["metadata"]["name"])


def _settled(namespace: Namespace) -> bool:
    """Tell whether every ReplicaSet has acted on its newest number."""
    found = namespace.cluster.apps.list_namespaced_replica_set(namespace.name).items
    return all(each.status.observed_generation == each.metadata.generation for each in found)
