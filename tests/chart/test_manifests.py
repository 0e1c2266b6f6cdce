"""k8s/manifests is the chart, rendered; it can be applied as the README says, with no Helm and no secret in it."""

from __future__ import annotations

import re
from pathlib import Path

from tests.chart.helm import CHART, Helm
from tests.chart.kube import Deployment, Secret
from tests.chart.release import parse

K8S = Path(__file__).parents[2] / "k8s"
MANIFESTS = (K8S / "manifests/heavylift.yaml").read_text()


def test_the_committed_manifests_are_what_each_helm_renders(helm: Helm):
    values = CHART / "ci/manifests-values.yaml"
    assert helm.template(values, release="heavylift", namespace="heavylift") == MANIFESTS, "run `make chart`"


def test_the_secrets_it_needs_are_those_the_readme_makes():
    objects = parse(MANIFESTS)
    assert not objects.of(Secret)
    needed = set(re.findall(r"secretName: (\S+)", MANIFESTS))
    assert needed
    assert needed == set(re.findall(r"create secret generic (\S+)", (K8S / "README.md").read_text()))


def test_nothing_in_it_is_a_hook_of_helm():
    assert "helm.sh/hook" not in MANIFESTS


def test_no_pool_has_a_number():
    pools = [one for one in parse(MANIFESTS).of(Deployment) if "heavylift.dev/pool" in one.metadata.labels]
    assert pools
    assert [pool.spec.replicas for pool in pools] == [None] * len(pools)
