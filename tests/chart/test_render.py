"""What holds for every render as a whole: it lints, is the same each time and with both Helms, and says whose it is."""

from pathlib import Path

from tests.chart.helm import CHART, NAMESPACE, RELEASE, Helm
from tests.chart.kube import KINDS, ConfigMap
from tests.chart.release import Release, parse
from tests.chart.values import SECRETS, merged

OPTIONAL_KINDS = {"Job"}  # none of ours, but extraObjects may bring them


def test_the_chart_lints_strictly(helm: Helm, values: Path):
    assert "0 chart(s) failed" in helm.lint(values)


def test_both_helms_render_the_same(helm3: Helm, helm4: Helm, values: Path):
    assert parse(helm3.template(values)).objects == parse(helm4.template(values)).objects


def test_rendering_twice_gives_the_same_bytes(helm: Helm, values: Path):
    # Another order of maps, a random word or a date would have a GitOps controller apply for ever. (The option changes
    # nothing: without it the first render would be looked at twice.)
    assert helm.template(values) == helm.template(values, options=("--debug=false",))


def test_no_object_is_there_twice(release: Release):
    ids = [one.id for one in release.objects]
    assert sorted(ids) == sorted(set(ids))


def test_every_object_is_in_the_releases_namespace_and_says_whose_it_is(release: Release):
    for one in release.objects:
        assert one.metadata.namespace == (NAMESPACE if one.namespaced else None), one.id
        labels = one.metadata.labels
        assert labels["app.kubernetes.io/instance"] == RELEASE, one.id
        assert labels["app.kubernetes.io/name"] == "heavylift", one.id
        assert labels["app.kubernetes.io/part-of"] == "heavylift", one.id
        assert labels["app.kubernetes.io/managed-by"] == "Helm", one.id
        assert labels["app.kubernetes.io/component"], one.id
        assert labels["app.kubernetes.io/version"], one.id
        assert labels["helm.sh/chart"].startswith("heavylift-"), one.id


def test_a_new_version_of_the_chart_alone_restarts_no_pod(release: Release):
    for run in release.runs():
        if not run.is_served:
            continue
        assert not {"helm.sh/chart", "app.kubernetes.io/version"} & run.labels.keys(), run.id


def test_hooks_are_for_tests_alone(release: Release):
    # Hooks at install or upgrade hang under `--wait`, Argo CD and Flux.
    for one in release.objects:
        assert one.metadata.annotations.get("helm.sh/hook") in (None, "test"), one.id


def test_every_kind_is_rendered_by_some_values(helm4: Helm):
    rendered = {
        type(one).__name__
        for path in (CHART / "ci").glob("*-values.yaml")
        for one in parse(helm4.template(path)).objects
    }
    assert {kind.__name__ for kind in KINDS} - rendered <= OPTIONAL_KINDS


def test_more_objects_are_maps_or_texts_with_templates_in_them(helm: Helm):
    labels = {"app.kubernetes.io/instance": "{{ .Release.Name }}"}
    one = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "as-map", "labels": labels}}
    other = 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: as-text\n  namespace: "{{ .Release.Namespace }}"'
    release = parse(helm.template(merged(SECRETS, {"extraObjects": [one, other]})))
    assert release.get(ConfigMap, "as-map").metadata.labels == {"app.kubernetes.io/instance": RELEASE}
    assert release.get(ConfigMap, "as-text").metadata.namespace == NAMESPACE
