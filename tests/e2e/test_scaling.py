"""The number of workers is the user's, or the engine's: neither an upgrade nor a change of the engine touches it."""

from __future__ import annotations

import pytest

from tests.e2e.namespace import Namespace
from tests.e2e.release import HELM, HELM3, Release, helm3_is_missing
from tests.e2e.values import TEAM_JOBS, team
from tests.waiting import wait_until

HELMS = [
    pytest.param(HELM, id="helm4"),
    pytest.param(HELM3, id="helm3", marks=pytest.mark.skipif(helm3_is_missing(), reason=f"there is no {HELM3} here")),
]


@pytest.mark.parametrize("helm", HELMS)
def test_an_upgrade_keeps_the_number_set_with_kubectl_scale(namespace: Namespace, helm: str) -> None:
    namespace.apply(TEAM_JOBS)
    release = Release(namespace, helm=helm)
    release.install(team())
    deployment = f"{release.fullname}-worker-team"
    for number in (3, 1):
        namespace.kubectl("scale", f"deployment/{deployment}", f"--replicas={number}")
        release.upgrade(team(podAnnotations={"changed-with": f"{number} workers"}))
        assert namespace.deployment(deployment).spec.replicas == number
        wait_until(lambda n=number: len(release.pods("worker", "team")) == n, 60, what=f"{number} workers", every=0.5)


def test_a_release_of_helm_3_is_upgraded_by_helm_4_without_a_conflict(namespace: Namespace) -> None:
    if helm3_is_missing():
        pytest.skip(f"there is no {HELM3} here")
    namespace.apply(TEAM_JOBS)
    release = Release(namespace, helm=HELM3)
    release.install(team())
    deployment = f"{release.fullname}-worker-team"
    namespace.kubectl("scale", f"deployment/{deployment}", "--replicas=2")
    release.upgrade(team(podAnnotations={"changed-by": "helm 4"}), helm=HELM)
    assert namespace.deployment(deployment).spec.replicas == 2


def test_a_change_of_the_engine_takes_no_worker_away(namespace: Namespace) -> None:
    namespace.apply(TEAM_JOBS)
    release = Release(namespace)
    release.install(team())
    deployment = f"{release.fullname}-worker-team"
    namespace.kubectl("scale", f"deployment/{deployment}", "--replicas=3", "--timeout=60s")
    namespace.kubectl("rollout", "status", f"deployment/{deployment}", "--timeout=60s")
    workers = {pod.metadata.name for pod in release.pods("worker", "team")}
    for engine in ("hpa", "none"):
        release.upgrade(team({"scaling": {"engine": engine}}))
        assert namespace.deployment(deployment).spec.replicas == 3
        assert {pod.metadata.name for pod in release.pods("worker", "team")} == workers
