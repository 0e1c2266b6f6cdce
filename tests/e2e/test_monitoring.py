"""The Prometheus operator finds the monitors, and no panel of the dashboard stays empty."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator

import pytest

from tests.e2e import prometheus
from tests.e2e.cluster import Cluster
from tests.e2e.commands import run
from tests.e2e.conftest import NamespaceFactory
from tests.e2e.jobs import ended
from tests.e2e.port_forward import PortForward
from tests.e2e.queries import PanelQuery, dashboard_queries
from tests.e2e.release import Release
from tests.e2e.values import TEAM_JOBS, team
from tests.waiting import wait_until

INSTALL = os.environ.get("MONITORING_INSTALL", "")
LABELS = {"release": "monitoring"}
WATCHED = ("api", "controller", "worker")
"""Not Flower: its series carry the workers' names."""
WINDOW = "30s"

pytestmark = pytest.mark.skipif(
    not INSTALL, reason="MONITORING_INSTALL does not name a command that installs the Prometheus operator"
)


@pytest.fixture(scope="module")
def operator(cluster: Cluster) -> None:
    """The operator, installed by a command that is given the cluster's name and $KUBECONFIG."""
    run(*shlex.split(INSTALL), cluster.name, env=cluster.env, timeout=600)


@pytest.fixture(scope="module")
def watched(operator: None, new_namespace: NamespaceFactory) -> Iterator[tuple[Release, str]]:
    """A release in which jobs went well and badly, and the address of the Prometheus that watches it."""
    with new_namespace("monitoring") as namespace:
        namespace.apply(TEAM_JOBS, *prometheus.manifests(namespace, LABELS["release"]))
        release = Release(namespace)
        monitor = {"enabled": True, "labels": LABELS, "interval": "1s", "scrapeTimeout": "1s"}
        monitoring = {"serviceMonitor": monitor, "podMonitor": monitor, "dashboard": {"enabled": True}}
        here = {"networkPolicy": {"scrapeFrom": [{"podSelector": {}}]}}
        scaled = {"scaling": {"engine": "builtin"}}
        release.install(team({"monitoring": monitoring, "flower": {"enabled": True}}, scaled, here))
        wait_until(lambda: namespace.pods("app.kubernetes.io/name=prometheus"), 60, what="Prometheus", every=1)
        namespace.kubectl("wait", "--for=condition=Ready", "pod/prometheus-prometheus-0", "--timeout=90s")
        with PortForward(namespace, "prometheus-operated", 9090) as forward, release.client() as client:
            wait_until(lambda: _all_up(forward.url), 60, what="every target being up", every=1)
            ended(client, [client.submit("team.rest", {"seconds": 0.1}).id for _ in range(5)])
            yield release, forward.url


def test_every_component_is_found_and_up(watched: tuple[Release, str]) -> None:
    _, url = watched
    assert prometheus.targets(url) == {component: ["up"] for component in WATCHED}


def test_every_query_of_the_dashboard_returns_data(watched: tuple[Release, str]) -> None:
    release, url = watched
    selector = "--selector=grafana_dashboard=1"
    [found] = json.loads(release.namespace.kubectl("get", "configmaps", selector, "--output=json"))["items"]
    [dashboard] = [json.loads(text) for text in found["data"].values()]
    queries = [
        *dashboard_queries(
            dashboard, namespace=release.namespace.name, release=release.name, queue="team", window=WINDOW
        )
    ]
    assert len(queries) > 20
    # Rates need two scrapes of each target.
    wait_until(lambda: not _empty(url, queries), 30, what="data of every query", every=1)


def _empty(url: str, queries: list[PanelQuery]) -> list[PanelQuery]:
    """Return the queries without data, but for those of Redis's exporter, whose image is somebody else's."""
    return [each for each in queries if "redis_" not in each.expr and not prometheus.query(url, each.expr)]


def _all_up(url: str) -> bool:
    found = prometheus.targets(url)
    return set(found) == set(WATCHED) and all(healths == ["up"] for healths in found.values())
