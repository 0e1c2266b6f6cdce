"""A pool's Deployment as the API server describes it -> what scaling needs to know of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from heavylift_controller.cluster.api import FIELD_MANAGER
from heavylift_controller.cluster.fields import Json, moment, name, number, part, parts, text, texts, value
from heavylift_controller.cluster.pods import SeenPod

HELM = "helm"
APPLY = "kubectl-client-side-apply"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
BIRTH_SECONDS = 2.0
"""A number that was set within so many seconds of the Deployment's creation came with it."""


@dataclass(frozen=True, slots=True)
class Selector:
    """Which pods are a Deployment's own."""

    labels: Mapping[str, str]
    """What a pod must carry."""

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether a pod with these labels is one of them."""
        return all(labels.get(key) == wanted for key, wanted in self.labels.items())

    def __str__(self) -> str:
        """Return it as the API server and `kubectl --selector` take it."""
        return ",".join(f"{key}={wanted}" for key, wanted in sorted(self.labels.items()))


@dataclass(frozen=True, slots=True)
class SeenDeployment:
    """A Deployment."""

    name: str
    uid: str
    labels: Mapping[str, str]
    selector: Selector
    replicas: int
    heeded: bool
    """Its controller has seen the newest spec."""
    existing: int
    """Pods of it that are not ending, as its controller counts them."""
    updated: int
    """How many of these are of the newest template."""
    paused: bool
    scaled_by: str
    scaled_at: float
    pod_template: Json
    """The spec that its pods have."""

    def settled(self, pods: Sequence[SeenPod]) -> bool:
        """Tell whether no pod is going to be deleted for `replicas` any more.

        Fewer pods than asked for are settled too: a quota may keep it so for ever.
        """
        staying = sum(not pod.leaving for pod in pods)
        return self.heeded and max(self.existing, staying) <= self.replicas

    def rollout(self, pods: Sequence[SeenPod]) -> bool:
        """Tell whether pods of two templates are there, or are about to be."""
        revisions = {pod.revision for pod in pods if not pod.leaving}
        return self.paused or len(revisions) > 1 or self.updated != self.existing


def read_deployment(obj: Json) -> SeenDeployment:
    """Return what is known of a Deployment."""
    spec, status = part(obj, "spec"), part(obj, "status")
    scaled_by, scaled_at = _scaled(obj)
    return SeenDeployment(
        name=name(obj),
        uid=text(obj, "metadata", "uid"),
        labels=texts(obj, "metadata", "labels"),
        selector=Selector(texts(spec, "selector", "matchLabels")),
        replicas=number(spec, "replicas", default=1),
        heeded=number(status, "observedGeneration") >= number(obj, "metadata", "generation"),
        existing=number(status, "replicas"),
        updated=number(status, "updatedReplicas"),
        paused=value(spec, "paused") is True,
        scaled_by=scaled_by,
        scaled_at=scaled_at,
        pod_template=part(spec, "template", "spec"),
    )


def _scaled(obj: Json) -> tuple[str, float]:
    """Return who beside us has set the number, and when; as Kubernetes notes it for each field."""
    owners = [
        entry
        for entry in parts(obj, "metadata", "managedFields")
        if value(entry, "fieldsV1", "f:spec", "f:replicas") is not None
    ]
    if not owners:
        return "", 0.0
    newest = max(owners, key=lambda entry: moment(entry, "time"))
    manager, at = text(newest, "manager"), moment(newest, "time")
    born = moment(obj, "metadata", "creationTimestamp")
    if manager in (FIELD_MANAGER, HELM) or at <= born + BIRTH_SECONDS or _defaulted(obj, manager):
        return "", 0.0
    return manager, at


def _defaulted(obj: Json, manager: str) -> bool:
    """Tell whether `kubectl apply` owns the number only because it once created the Deployment without one."""
    if manager != APPLY:
        return False
    try:
        applied = orjson.loads(texts(obj, "metadata", "annotations").get(LAST_APPLIED, ""))
    except ValueError:
        return False
    return value(applied, "spec", "replicas") is None
