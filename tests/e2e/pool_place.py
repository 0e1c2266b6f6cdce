"""A pool of one Deployment in a namespace, seen with the rights that the chart gives the controller and no others."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager

from kubernetes.client.configuration import Configuration
from kubernetes.config import load_kube_config

import heavylift_controller.cluster
from heavylift_controller.cluster.api import Api
from heavylift_controller.cluster.platform import KubernetesPlatform
from heavylift_controller.cluster.pods import POOL
from heavylift_controller.scaler.platform import PlatformError, Scaled, Sight, Stage
from heavylift_controller.scaler.pools import Pool, PoolQueue
from tests.e2e.manifests import CONTAINER_SECURITY, POD_SECURITY, Manifest
from tests.e2e.namespace import Namespace
from tests.waiting import wait_until

PAUSE = "registry.k8s.io/pause:3.10"
ACCOUNT = "controller"
LEASE = "scaling"
QUEUES = {"video": PoolQueue()}


def deployment(name: str, *, ready: bool = True, cpu: str = "1m", version: str = "1") -> Manifest:
    """Return a Deployment of pods that do nothing, without a number of replicas."""
    labels = {POOL: name}
    container = {
        "name": "worker",
        "image": PAUSE,
        "securityContext": CONTAINER_SECURITY,
        # No limit of CPU time: a container that is held back while it is made cannot be frozen, and runc gives up.
        "resources": {"requests": {"cpu": cpu, "memory": "4Mi"}, "limits": {"memory": "16Mi"}},
    }
    if not ready:
        container["readinessProbe"] = {"tcpSocket": {"port": 1}, "periodSeconds": 1}
    spec = {
        "terminationGracePeriodSeconds": 1,
        "automountServiceAccountToken": False,
        "securityContext": POD_SECURITY,
        "containers": [container],
    }
    template = {"metadata": {"labels": labels, "annotations": {"version": version}}, "spec": spec}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }


def role() -> list[Manifest]:
    """Return the account that has the rights that the package says it needs."""
    rows = [line.split("|")[1:-1] for line in (heavylift_controller.cluster.__doc__ or "").splitlines() if "|" in line]
    rules = [
        {
            "apiGroups": [group.strip().replace("(core)", "")],
            "resources": [resource.strip()],
            "verbs": [verb.strip() for verb in verbs.split(",")],
        }
        for group, resource, verbs, _ in rows[2:]
    ]
    metadata = {"metadata": {"name": ACCOUNT}}
    rbac = "rbac.authorization.k8s.io"
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", **metadata},
        {"apiVersion": f"{rbac}/v1", "kind": "Role", **metadata, "rules": rules},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            **metadata,
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": ACCOUNT},
            "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT}],
        },
    ]


def connected(namespace: Namespace, account: str = ACCOUNT) -> Api:
    configuration = Configuration()
    load_kube_config(str(namespace.cluster.kubeconfig), client_configuration=configuration)
    configuration.cert_file = configuration.key_file = None
    configuration.api_key["BearerToken"] = "Bearer " + namespace.kubectl("create", "token", account).strip()
    return Api(configuration, namespace.name)


class Place:
    """A pool of one Deployment, and a platform that leads there."""

    def __init__(self, namespace: Namespace, name: str) -> None:
        self.namespace, self.name = namespace, name
        pool = Pool(deployment=name, resource=name, queues=QUEUES)
        self.platform = KubernetesPlatform(connected(namespace), lambda: {name: pool}, lease=f"{name}-{LEASE}")

    def wait(self, holds: Callable[[Sight], object], *, what: str, timeout: float = 30) -> Sight:
        """Return what is seen once it holds."""

        def look() -> Sight | None:
            try:
                found = self.platform.look().get(self.name)
            except PlatformError:
                return None
            return found if found and holds(found) else None

        return wait_until(look, timeout, what=what, every=0.02)

    def grow(self, count: int) -> Sight:
        """Return what is seen once so many pods run."""
        current = self.wait(lambda _: True, what="the Deployment").replicas
        assert self.platform.scale(self.name, current=current, to=count) is Scaled.DONE
        return self.wait(
            lambda sight: sight.settled and [pod.stage for pod in sight.staying] == [Stage.RUNNING] * count,
            what=f"{count} pods that run",
        )

    def shrink(self, count: int) -> None:
        """Set a lower number, once the Deployment stands still between the last look and the change."""

        def done() -> bool:
            current = self.platform.look_again(self.name).replicas
            return self.platform.scale(self.name, current=current, to=count) is Scaled.DONE

        wait_until(done, 15, what="a lower number")

    def kubectl(self, *arguments: str) -> str:
        return self.namespace.kubectl(*arguments)


@contextmanager
def at(namespace: Namespace, name: str, *, leads: bool = True) -> Generator[Place]:
    """Yield a pool whose platform runs, and leads if it is to."""
    place = Place(namespace, name)
    place.platform.start()
    try:
        if leads:
            wait_until(place.platform.leadership.epoch, 15, what="leadership")
        yield place
    finally:
        place.platform.close()
