"""A Prometheus that the operator runs, and what it says."""

from __future__ import annotations

import httpx
from pydantic import JsonValue

from tests.e2e.manifests import POD_SECURITY, Manifest
from tests.e2e.namespace import Namespace

IMAGE, VERSION = "prom/prometheus:v2.53.3", "v2.53.3"
NAME = "prometheus"


def manifests(namespace: Namespace, release_label: str) -> list[Manifest]:
    """Return a Prometheus that takes the monitors of its namespace which carry the label `release`."""
    metadata = {"name": NAME}
    chosen = {"matchLabels": {"release": release_label}}
    reading = {"apiGroups": [""], "resources": ["services", "endpoints", "pods"], "verbs": ["get", "list", "watch"]}
    slices = {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["get", "list", "watch"]}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": NAME}
    subject = {"kind": "ServiceAccount", "name": NAME, "namespace": namespace.name}
    spec = {
        "image": IMAGE,
        "version": VERSION,
        "replicas": 1,
        "serviceAccountName": NAME,
        "scrapeInterval": "1s",
        "evaluationInterval": "1s",
        "serviceMonitorSelector": chosen,
        "podMonitorSelector": chosen,
        "securityContext": POD_SECURITY,
        "resources": {"requests": {"cpu": "20m", "memory": "64Mi"}},
    }
    rbac = "rbac.authorization.k8s.io/v1"
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
        {"apiVersion": rbac, "kind": "Role", "metadata": metadata, "rules": [reading, slices]},
        {"apiVersion": rbac, "kind": "RoleBinding", "metadata": metadata, "roleRef": role, "subjects": [subject]},
        {"apiVersion": "monitoring.coreos.com/v1", "kind": "Prometheus", "metadata": metadata, "spec": spec},
    ]


def targets(url: str) -> dict[str, list[str]]:
    """Return the health of what Prometheus scrapes, by its component."""
    found: dict[str, list[str]] = {}
    for target in httpx.get(f"{url}/api/v1/targets").raise_for_status().json()["data"]["activeTargets"]:
        found.setdefault(target["labels"]["app_kubernetes_io_component"], []).append(target["health"])
    return found


def query(url: str, expression: str) -> list[JsonValue]:
    """Return the series of an expression, each with its newest value."""
    answer = httpx.get(f"{url}/api/v1/query", params={"query": expression}).json()
    assert answer["status"] == "success", f"{expression}: {answer}"
    return answer["data"]["result"]
