"""Names of objects: they fit whatever the release is called, and two releases share none."""

from itertools import combinations

import pytest

from tests.chart.helm import Helm
from tests.chart.kube import (
    Deployment,
    Kube,
    Labels,
    NetworkPolicy,
    PodDisruptionBudget,
    PodMonitor,
    Service,
    StatefulSet,
)
from tests.chart.release import Release, parse
from tests.chart.traffic import Connection, Policies, pod
from tests.chart.values import SECRETS, merged

LONGEST_RELEASE_NAME = 53

# A pod of a Deployment is named after it, with 16 characters more, and the whole becomes a host name. A StatefulSet's
# name and a hash of 10 become the value of a label.
ROOM = {Deployment: 63, StatefulSet: 52}

EVERYTHING = merged(
    SECRETS,
    {
        "monitoring": {
            "dashboard": {"enabled": True},
            "podMonitor": {"enabled": True},
            "serviceMonitor": {"enabled": True},
        },
        "scaling": {"engine": "keda"},
        "redis": {"exporter": {"enabled": True}},
        "workers": {"pools": {"images": {"queues": ["images"], "egress": "internet"}}},
    },
)


@pytest.mark.parametrize(
    ("release", "values", "fullname"),
    [
        ("demo", {}, "demo-heavylift"),
        ("heavylift", {}, "heavylift"),
        ("my-heavylift-2", {}, "my-heavylift-2"),
        ("demo", {"nameOverride": "jobs"}, "demo-jobs"),
        ("demo", {"fullnameOverride": "jobs"}, "jobs"),
    ],
)
def test_objects_are_named_after_release_and_chart(helm4: Helm, release: str, values: dict, fullname: str):
    rendered = parse(helm4.template(merged(SECRETS, values), release=release))
    rendered.get(Deployment, f"{fullname}-api")
    rendered.get(Deployment, f"{fullname}-worker-video")
    assert all(one.name.startswith(fullname) for one in rendered.objects)


@pytest.mark.parametrize(
    "release", ["x" * LONGEST_RELEASE_NAME, "heavylift-" + "x" * 43, "x" * 30 + "-" + "y" * 22, "with.dots"]
)
def test_long_names_fit(helm4: Helm, release: str):
    # Parsing checks names and labels against Kubernetes' limits.
    for one in parse(helm4.template(_with_pool("fifteen-letters"), release=release)).objects:
        assert len(one.name) <= ROOM.get(type(one), 63), one.id
        assert not one.name.endswith("-"), one.id


def test_a_pool_name_that_would_not_fit_is_refused(helm: Helm):
    helm.template(_with_pool("p" * 30))
    refusal = helm.refusal(merged(_with_pool("sixteen-letters1"), {"fullnameOverride": "x" * 40}))
    assert f"workers.pools.sixteen-letters1: its objects would be called {'x' * 40}-worker-sixteen-letters1" in refusal
    assert "p" * 31 in helm.refusal(_with_pool("p" * 31))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("demo", "demo2"),
        ("demo", "heavylift"),
        ("heavylift", "heavylift-worker"),
        ("heavylift-" + "x" * 42 + "1", "heavylift-" + "x" * 42 + "2"),
    ],
    ids=lambda name: name if len(name) < 20 else f"long{name[-1]}",
)
def test_two_releases_in_one_namespace_share_nothing(helm4: Helm, first: str, second: str):
    one, other = (parse(helm4.template(EVERYTHING, release=name)) for name in (first, second))
    assert not {mine.id for mine in one.objects} & {theirs.id for theirs in other.objects}
    assert not _selected(one, other)
    assert not _selected(other, one)


def test_two_releases_in_one_namespace_do_not_reach_each_others_redis(helm4: Helm):
    one, other = (parse(helm4.template(EVERYTHING, release=name)) for name in ("demo", "demo2"))
    both = Policies(Policies.of(one).policies + Policies.of(other).policies)
    for run in one.runs():
        reaches = Connection(pod(run), pod(other.of_component("redis")[0]), 6379)
        assert not both.let(reaches), str(reaches)


def test_two_pools_share_nothing(helm4: Helm):
    release = parse(helm4.template(EVERYTHING))
    for one, other in combinations(release.of(Deployment), 2):
        assert not one.spec.selector.matches(other.spec.template.metadata.labels), one.id


def _with_pool(name: str) -> dict:
    return merged(EVERYTHING, {"workers": {"pools": {name: {"queues": ["one"], "egress": "internet"}}}})


def _selected(one: Release, other: Release) -> list[str]:
    """Return what of the one release would take a pod of the other for its own."""
    pods = [run.labels for run in other.runs()]
    return [taker.id for taker in one.objects if any(_takes(taker, labels) for labels in pods)]


def _takes(taker: Kube, labels: Labels) -> bool:
    if isinstance(taker, Service):
        return taker.spec.selector.items() <= labels.items()
    if isinstance(taker, NetworkPolicy):
        return taker.spec.pod_selector.matches(labels)
    if isinstance(taker, Deployment | StatefulSet | PodDisruptionBudget | PodMonitor):
        return taker.spec.selector.matches(labels)
    return False
