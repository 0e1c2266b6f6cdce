"""Objects beside the chart: what the restricted standard asks of a pod, and a Redis of the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Manifest = Mapping[str, Any]

REDIS_IMAGE = "redis:8"

CONTAINER_SECURITY: Manifest = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
POD_SECURITY: Manifest = {
    "runAsNonRoot": True,
    "runAsUser": 10001,
    "fsGroup": 10001,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def redis(name: str, *arguments: str, port: int = 6379, files: Mapping[str, str] | None = None) -> list[Manifest]:
    """Return a Redis with a Service of that name, its files under /files."""
    labels = {"app": name}
    container = {
        "name": "redis",
        "image": REDIS_IMAGE,
        "command": ["redis-server", "--dir", "/tmp", *arguments],
        "ports": [{"containerPort": port}],
        "readinessProbe": {"tcpSocket": {"port": port}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}},
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [{"name": "files", "mountPath": "/files"}, {"name": "tmp", "mountPath": "/tmp"}],
    }
    spec = {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 1,
        "securityContext": POD_SECURITY,
        "containers": [container],
        "volumes": [{"name": "files", "secret": {"secretName": name}}, {"name": "tmp", "emptyDir": {}}],
    }
    metadata = {"name": name, "labels": labels}
    service = {"selector": labels, "ports": [{"port": port}]}
    return [
        {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": dict(files or {})},
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": service},
        {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec},
    ]


def secret(name: str, **values: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values}
