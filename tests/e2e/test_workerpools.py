"""The definition of WorkerPool in a real API server: what it takes, what it refuses, what kubectl shows.

No controller runs here. What one writes is written by its own code, from here.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from heavylift_controller.cluster.api import Api
from heavylift_controller.cluster.crd_version import CRD_VERSION, Definition, read_definition
from heavylift_controller.cluster.overrides import overrides_of
from heavylift_controller.cluster.platform import KubernetesPlatform
from heavylift_controller.cluster.pool_status import status_of
from heavylift_controller.cluster.workerpools import WorkerPools
from heavylift_controller.scaler.platform import Overrides
from heavylift_controller.scaler.pools import Pool, PoolQueue
from heavylift_controller.scaler.status import Change, PoolStatus, as_json
from heavylift_controller.scaling import Decision, Inputs, Limiter, Memory, Terms
from tests.e2e.cluster import Cluster
from tests.e2e.commands import CommandFailed, run
from tests.e2e.namespace import Namespace
from tests.e2e.release import CHART, HELM, HELM3
from tests.waiting import wait_until

CRD = Path(CHART, "crds", "workerpools.yaml")
NAME = "workerpools.heavylift.dev"


@pytest.fixture(scope="module", autouse=True)
def definition(cluster: Cluster) -> None:
    """The definition as it is checked out, whatever an earlier test has installed."""
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(CRD))
    cluster.kubectl("wait", "--for=condition=Established", f"crd/{NAME}", "--timeout=30s")


@pytest.fixture
def api(namespace: Namespace) -> Iterator[Api]:
    api = Api.from_kubeconfig(namespace.cluster.kubeconfig, namespace.name)
    yield api
    api.close()


def _deployment(name: str) -> dict[str, Any]:
    labels = {"app.kubernetes.io/name": "heavylift", "heavylift.dev/pool": name}
    pod = {"containers": [{"name": "none", "image": "none"}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"rel-worker-{name}", "labels": {**labels, "app.kubernetes.io/instance": "rel"}},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def _deployments(namespace: Namespace) -> dict[str, Any]:
    found = json.loads(namespace.kubectl("get", "deployments", "--output=json"))["items"]
    return {each["metadata"]["name"]: each for each in found}


def _pools(*names: str, release: str = "rel") -> dict[str, Pool]:
    return {
        name: Pool(deployment=f"{release}-worker-{name}", resource=f"{release}-{name}", queues={name: PoolQueue()})
        for name in names
    }


def _workerpool(name: str, spec: object = None, **annotations: str) -> dict[str, Any]:
    metadata = {"name": name, "annotations": annotations}
    return {"apiVersion": "heavylift.dev/v1alpha1", "kind": "WorkerPool", "metadata": metadata, "spec": spec or {}}


def _read(namespace: Namespace, name: str) -> dict[str, Any]:
    return json.loads(namespace.kubectl("get", f"workerpool/{name}", "--output=json", "--show-managed-fields"))


def _names(namespace: Namespace) -> list[str]:
    return namespace.kubectl("get", "workerpools", "--output=name").split()


STATUS = PoolStatus(
    pool="video",
    queues=("video", "thumbs"),
    waiting=3,
    running=1,
    oldest_age_seconds=12.4,
    current=1,
    desired=4,
    ready=1,
    draining=(),
    limiter="slo",
    reason="4 workers instead of 1: as many begin the waiting jobs in time.",
    held_by="kubectl",
    decided_at=1_700_000_000.0,
    target="rel-worker-video",
    last=(Change(1_699_999_990.0, 0, 1, "slo"),),
)
DECISION = Decision(1, 4, 4, 0, Limiter.SLO, "", Inputs(), Terms(), Memory())


def test_a_pool_is_made_for_each_deployment_and_goes_with_it(namespace: Namespace, api: Api) -> None:
    namespace.apply(_deployment("video"), _deployment("image"), _workerpool("somebodys", {"max": 3}))
    made = WorkerPools(api).ensure(_pools("video", "image", "audio"), _deployments(namespace), {"somebodys"})
    assert sorted(made) == ["rel-image", "rel-video"]
    namespace.kubectl("delete", "deployment/rel-worker-video")
    gone = "workerpool.heavylift.dev/rel-video"
    wait_until(lambda: gone not in _names(namespace), 30, what="the end of the WorkerPool", every=0.2)
    assert _names(namespace) == ["workerpool.heavylift.dev/rel-image", "workerpool.heavylift.dev/somebodys"]


def test_what_people_ask_for_is_not_touched_by_a_controller_that_has_not_seen_it(
    namespace: Namespace, api: Api
) -> None:
    namespace.apply(_deployment("video"), _workerpool("rel-video", {"max": 3, "queues": {"video": {}}}))
    before = _read(namespace, "rel-video")
    WorkerPools(api).ensure(_pools("video"), _deployments(namespace), ())
    assert _read(namespace, "rel-video") == before


def test_two_releases_of_one_namespace_have_pools_of_their_own(namespace: Namespace, api: Api) -> None:
    other = _deployment("video")
    other["metadata"]["name"] = "other-worker-video"
    namespace.apply(_deployment("video"), other)
    WorkerPools(api).ensure(_pools("video"), _deployments(namespace), ())
    WorkerPools(api).ensure(_pools("video", release="other"), _deployments(namespace), ())
    assert _names(namespace) == ["workerpool.heavylift.dev/other-video", "workerpool.heavylift.dev/rel-video"]


def test_kubectl_shows_what_was_decided(namespace: Namespace, api: Api) -> None:
    namespace.apply(_deployment("video"))
    pools = WorkerPools(api)
    pools.ensure(_pools("video"), _deployments(namespace), ())
    pools.patch_status("rel-video", status_of(DECISION, as_json(STATUS), selector="a=b", generation=1), now=0.0)
    shown = namespace.kubectl("get", "wp", "--output=wide").splitlines()
    columns = "NAME QUEUES WAITING RUNNING OLDEST CURRENT DESIRED READY REASON AGE HELD SENTENCE"
    assert " ".join(shown[0].split()) == columns
    row = shown[1].split()
    assert row[:4] == ["rel-video", '["video","thumbs"]', "3", "1"]
    assert row[5:9] == ["1", "4", "1", "slo"]
    assert STATUS.reason in shown[1]
    assert "Last Decisions" in namespace.kubectl("describe", "workerpool/rel-video")
    assert _read(namespace, "rel-video")["status"]["crdVersion"] == CRD_VERSION


def test_the_definition_fills_in_its_version_anew_with_each_status(namespace: Namespace, api: Api) -> None:
    namespace.apply(_workerpool("rel-video"))
    stale = json.dumps({"status": {"crdVersion": 77}})
    namespace.kubectl("patch", "workerpool/rel-video", "--subresource=status", "--type=merge", "--patch", stale)
    status = status_of(DECISION, as_json(STATUS), selector="a=b", generation=1)
    WorkerPools(api).patch_status("rel-video", status, now=0.0)
    assert _read(namespace, "rel-video")["status"]["crdVersion"] == CRD_VERSION


def test_kubectl_scale_holds_a_pool_until_it_is_released(namespace: Namespace, api: Api) -> None:
    namespace.apply(_workerpool("rel-video"))
    namespace.kubectl("scale", "workerpool/rel-video", "--replicas=5")
    asked, _ = overrides_of(_read(namespace, "rel-video"))
    assert (asked.hold_at, asked.hold_until, asked.held_by) == (5, None, "WorkerPool/rel-video")
    WorkerPools(api).release("rel-video")
    assert overrides_of(_read(namespace, "rel-video")) == (Overrides(), ())


def test_a_hold_with_an_end_is_released_whole_by_the_documented_patch(namespace: Namespace) -> None:
    namespace.apply(_workerpool("rel-video"))
    hold = '{"spec":{"replicas":2,"holdUntil":"2030-01-01T00:00:00Z","max":9}}'
    namespace.kubectl("patch", "workerpool/rel-video", "--type=merge", "--patch", hold)
    asked, _ = overrides_of(_read(namespace, "rel-video"))
    assert (asked.hold_at, asked.hold_until, asked.held_by) == (2, 1_893_456_000.0, "kubectl-patch")
    release = '{"spec":{"replicas":null,"holdUntil":null}}'
    namespace.kubectl("patch", "workerpool/rel-video", "--type=merge", "--patch", release)
    assert _read(namespace, "rel-video")["spec"] == {"max": 9}


def test_a_hold_that_is_over_is_taken_back_but_not_one_that_came_after_the_look(namespace: Namespace, api: Api) -> None:
    hold = {"replicas": 2, "holdUntil": "2020-01-01T00:00:00Z", "min": 1}
    namespace.apply(_workerpool("rel-image", hold), _workerpool("rel-video", hold))
    seen = [_read(namespace, name) for name in ("rel-image", "rel-video")]
    namespace.kubectl("scale", "workerpool/rel-video", "--replicas=7")
    WorkerPools(api).end_holds(seen, now=time.time())
    assert _read(namespace, "rel-image")["spec"] == {"min": 1}
    assert _read(namespace, "rel-video")["spec"]["replicas"] == 7


def test_an_annotation_pauses_a_pool(namespace: Namespace) -> None:
    namespace.apply(_workerpool("rel-video"))
    namespace.kubectl("annotate", "workerpool/rel-video", "heavylift.dev/paused=true")
    assert overrides_of(_read(namespace, "rel-video"))[0].paused is True


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"min": 3, "max": 2}, "min must not be more than max"),
        ({"minIdle": 3, "max": 2}, "minIdle must not be more than max"),
        ({"holdUntil": "2030-01-01T00:00:00Z"}, "holdUntil needs replicas"),
        ({"replicas": 2, "holdUntil": "tomorrow"}, "date-time"),
        ({"replicas": -1}, "greater than or equal to 0"),
        ({"replicas": 10_001}, "less than or equal to 10000"),
        ({"paused": "yes"}, "boolean"),
        ({"queues": {"video": {"targetWaitSeconds": 0}}}, "greater than 0"),
        ({"queues": {"Video": {}}}, "a queue's name is"),
        ({"queues": {f"q{number}": {} for number in range(65)}}, "at most 64"),
        ({"maximum": 3}, "unknown field"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(namespace: Namespace, spec: dict[str, Any], why: str) -> None:
    with pytest.raises(CommandFailed) as refused:
        namespace.apply(_workerpool("rel-video", spec))
    assert why in refused.value.output


def test_explain_tells_of_every_field(cluster: Cluster) -> None:
    said = cluster.kubectl("explain", "workerpools.spec.queues.targetWaitSeconds")
    assert "Seconds within which a job of this queue should begin" in said
    assert "Holds the pool at this many workers" in cluster.kubectl("explain", "wp.spec.replicas")


@pytest.mark.parametrize("helm", [HELM, HELM3])
def test_a_definition_that_helm_installed_long_ago_is_brought_up_to_date(
    namespace: Namespace, api: Api, tmp_path: Path, helm: str
) -> None:
    """It takes the definition away, and in the end it is whole again."""
    kubectl = namespace.kubectl
    kubectl("delete", f"crd/{NAME}")
    wait_until(lambda: not read_definition(api).present, 30, what="the end of the definition", every=0.2)
    run(helm, "install", "old", str(_old_chart(tmp_path)), "--namespace", namespace.name, env=namespace.cluster.env)
    old = wait_until(lambda: _version(api), 30, what="the old definition", every=0.2)
    assert old == Definition(present=True, version=0)
    assert "--server-side" in old.trouble
    crds = run(HELM, "show", "crds", CHART)
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=crds)
    wait_until(lambda: read_definition(api).version == CRD_VERSION, 30, what="the new definition", every=0.2)
    assert not read_definition(api).trouble
    found = json.loads(kubectl("get", f"crd/{NAME}", "--output=json"))["metadata"]
    assert found["annotations"]["heavylift.dev/crd-version"] == str(CRD_VERSION)


def test_without_the_definition_pools_are_seen_and_it_is_told_and_with_it_they_are_shown(
    namespace: Namespace, api: Api
) -> None:
    kubectl = namespace.kubectl
    namespace.apply(_deployment("video"))
    kubectl("delete", f"crd/{NAME}")
    wait_until(lambda: not read_definition(api).present, 30, what="the end of the definition", every=0.2)
    platform = KubernetesPlatform(api, lambda: _pools("video"), lease="rel-scaling")
    platform.start()
    try:
        told = wait_until(lambda: _told(namespace), 60, what="an Event", every=0.5)
        assert "has no definition of WorkerPool" in told
        assert platform.look()["video"].overrides == Overrides()
        kubectl("apply", "--server-side", "-f", str(CRD))
        wait_until(lambda: "rel-video" in _listed(namespace), 90, what="the WorkerPool", every=1)
    finally:
        platform.close()
        kubectl("apply", "--server-side", "--force-conflicts", "-f", str(CRD))


def _told(namespace: Namespace) -> str:
    return next((event.message for event in namespace.events("rel-worker-") if "Definition" in event.reason), "")


def _listed(namespace: Namespace) -> str:
    """Return the WorkerPools; a new kind is not found for a while, by kubectl and by the API server itself."""
    path = f"/apis/heavylift.dev/v1alpha1/namespaces/{namespace.name}/workerpools"
    with suppress(CommandFailed):
        return namespace.kubectl("get", "--raw", path)
    return ""


def _version(api: Api) -> Definition | None:
    found = read_definition(api)
    return found if found.present else None


def _old_chart(folder: Path) -> Path:
    """Return a chart with the definition as it might have been before there were versions."""
    crd = yaml.safe_load(CRD.read_text())
    del crd["metadata"]["annotations"]
    (version,) = crd["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]["properties"]
    del schema["status"]["properties"]["crdVersion"]
    schema["spec"]["properties"]["replicas"]["maximum"] = 7
    (folder / "crds").mkdir()
    (folder / "crds" / CRD.name).write_text(yaml.safe_dump(crd))
    (folder / "Chart.yaml").write_text("apiVersion: v2\nname: old\nversion: 0.0.1\n")
    return folder
