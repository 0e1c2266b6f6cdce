"""A namespace of a test's own, in which Kubernetes enforces the restricted Pod Security standard."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from tests.e2e.cluster import Cluster
from tests.e2e.manifests import Manifest

# Objects of the client's models, untyped: see cluster.py.
Pod = Any
Deployment = Any
Event = Any

RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


class Namespace:
    """One namespace of the cluster."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.cluster = cluster
        self.name = name

    def kubectl(self, *arguments: str, stdin: str | None = None, timeout: float = 120) -> str:
        return self.cluster.kubectl("--namespace", self.name, *arguments, stdin=stdin, timeout=timeout)

    def apply(self, *objects: Manifest) -> None:
        self.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))

    def pods(self, selector: str = "") -> list[Pod]:
        """Return the pods that are not on their way out."""
        found = self.cluster.core.list_namespaced_pod(self.name, label_selector=selector).items
        return [pod for pod in found if pod.metadata.deletion_timestamp is None]

    def deployment(self, name: str) -> Deployment:
        return self.cluster.apps.read_namespaced_deployment(name, self.name)

    def events(self, about: str = "") -> list[Event]:
        """Return what Kubernetes said about objects whose name begins so."""
        found = self.cluster.core.list_namespaced_event(self.name).items
        return [event for event in found if (event.involved_object.name or "").startswith(about)]

    def logs(self, pod: str, *, previous: bool = False) -> str:
        return self.kubectl("logs", pod, "--all-containers", *(("--previous",) if previous else ()))

    def everything(self) -> list[str]:
        """Return what is there of kinds that an install makes, as `kind/name`, without what Kubernetes makes itself."""
        kinds = (
            "all,configmaps,secrets,serviceaccounts,roles,rolebindings,persistentvolumeclaims,poddisruptionbudgets,"
            "networkpolicies,horizontalpodautoscalers,ingresses,endpointslices"
        )
        own = ("configmap/kube-root-ca.crt", "serviceaccount/default")
        return [name for name in self.kubectl("get", kinds, "--output", "name").split() if name not in own]


@contextmanager
def own_namespace(cluster: Cluster, name: str) -> Generator[Namespace]:
    """Yield a new namespace; afterwards nothing in it is given time to end in peace."""
    metadata = {"name": name, "labels": RESTRICTED}
    cluster.kubectl(
        *("create", "-f", "-"), stdin=json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    )
    namespace = Namespace(cluster, name)
    try:
        yield namespace
    finally:
        cluster.kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")
        namespace.kubectl("delete", "pods", "--all", "--grace-period=1", "--wait=false")
