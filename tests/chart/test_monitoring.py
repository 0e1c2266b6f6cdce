"""What watches a release: monitors with the user's labels, series that know their pool, the dashboard as it is."""

from __future__ import annotations

from charts import dashboard

from tests.chart.helm import Helm
from tests.chart.kube import ConfigMap, PodMonitor, ServiceMonitor
from tests.chart.release import COMPONENT, Release, parse
from tests.chart.values import SECRETS, merged

FOUND_BY = {"release": "kube-prometheus-stack"}


def watched(helm: Helm, **monitoring: object) -> Release:
    monitor = {"enabled": True, "labels": FOUND_BY}
    everything = {"serviceMonitor": monitor, "podMonitor": monitor, "dashboard": {"enabled": True}}
    exporter = {"redis": {"exporter": {"enabled": True}}}
    return parse(helm.template(merged(SECRETS, exporter, {"monitoring": everything | monitoring})))


def scraped(release: Release) -> set[str]:
    """Return the components that the monitors select."""
    selectors = [one.spec.selector for kind in (ServiceMonitor, PodMonitor) for one in release.of(kind)]
    return {run.component for run in release.runs() if any(selector.matches(run.labels) for selector in selectors)}


def test_nothing_needs_the_operator_by_default(helm4: Helm):
    release = parse(helm4.template(SECRETS))
    assert not release.of(ServiceMonitor)
    assert not release.of(PodMonitor)


def test_everything_is_scraped_but_flower_whose_series_name_workers(helm4: Helm):
    assert scraped(watched(helm4)) == {"api", "worker", "controller", "redis"}


def test_annotations_name_the_same_pods_as_the_monitors(helm4: Helm):
    release = watched(helm4)
    annotated = {run.component for run in release.runs() if run.annotations.get("prometheus.io/scrape") == "true"}
    assert annotated == scraped(release)


def test_a_monitor_carries_the_labels_by_which_prometheus_finds_it(helm4: Helm):
    release = watched(helm4)
    monitors = [*release.of(ServiceMonitor), *release.of(PodMonitor)]
    assert monitors
    for monitor in monitors:
        assert monitor.metadata.labels.items() >= FOUND_BY.items()
        assert COMPONENT in monitor.metadata.labels


def test_a_workers_series_know_their_pool(helm4: Helm):
    (monitor,) = watched(helm4).of(PodMonitor)
    (endpoint,) = monitor.spec.pod_metrics_endpoints
    rules = {rule.target_label: rule.source_labels for rule in endpoint.relabelings}
    assert rules == {"pool": ["__meta_kubernetes_pod_label_heavylift_dev_pool"]}


def test_grafana_gets_the_dashboard_unchanged_in_the_folder_of_choice(helm4: Helm):
    release = watched(helm4, dashboard={"enabled": True, "labels": {"grafana": "eu"}, "folder": "Jobs"})
    (found,) = [one for one in release.of(ConfigMap) if "grafana_dashboard" in one.metadata.labels]
    assert found.metadata.labels["grafana"] == "eu"
    assert found.metadata.annotations["grafana_folder"] == "Jobs"
    assert found.data == {"heavylift-overview.json": dashboard.overview()}
