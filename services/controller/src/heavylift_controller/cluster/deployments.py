"""A pool's Deployment as the API server describes it -> what scaling needs to know of it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import orjson

from heavylift_controller.cluster.api import FIELD_MANAGER, JsonObject
from heavylift_controller.cluster.fields import Json, moment, name, number, part, parts, text, texts, value
from heavylift_controller.cluster.pods import REVISION, SeenPod

HELM = "helm"
AUTOSCALERS = ("kube-controller-manager", "keda")
"""Who writes a number that an HPA or KEDA decides."""
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
    """Who has set `replicas`, if neither we nor Helm."""
    scaled_at: float
    """When, in seconds since the epoch; 0 where Kubernetes does not note it, as for `kubectl scale`."""
    signed: bool
    """Kubernetes notes who sets `replicas`."""
    pod_template: Json
    """The spec that its pods have."""

    @property
    def reference(self) -> JsonObject:
        """What of the object is needed to refer to it, as the API server writes it."""
        return {
            "metadata": {"name": self.name, "uid": self.uid, "labels": dict(self.labels)},
            "spec": {"selector": {"matchLabels": dict(self.selector.labels)}},
        }

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
        signed=bool(_owners(obj)),
        pod_template=part(spec, "template", "spec"),
    )


@dataclass(frozen=True, slots=True)
class SeenReplicaSet:
    """One version of a Deployment's template, and how many pods of it there are to be."""

    owner: str
    """The Deployment's uid."""
    revision: str
    replicas: int


def read_replica_set(obj: Json) -> SeenReplicaSet:
    """Return what is known of a ReplicaSet."""
    owners = [text(each, "uid") for each in parts(obj, "metadata", "ownerReferences") if each.get("controller") is True]
    return SeenReplicaSet(
        owner=next(iter(owners), ""),
        revision=texts(obj, "metadata", "labels").get(REVISION, ""),
        replicas=number(obj, "spec", "replicas", default=1),
    )


def surplus(pods: Iterable[SeenPod], replica_sets: Iterable[SeenReplicaSet]) -> dict[str, int]:
    """Return how many pods of each revision are there and no longer wanted; of unknown revisions none are."""
    wanted = {each.revision: each.replicas for each in replica_sets}
    there = Counter(pod.revision for pod in pods if not pod.leaving and pod.revision in wanted)
    return {revision: count - wanted[revision] for revision, count in there.items() if count > wanted[revision]}


class Scalings:
    """Since when each Deployment has had a number that somebody has set.

    Kubernetes notes no time with what is written through the scale subresource. What changes while we look on gets the
    time at which we saw it; of a number that stood there before, the time is not known.
    """

    def __init__(self) -> None:
        self._seen: dict[str, tuple[tuple[object, ...], float]] = {}
        self._lock = threading.Lock()

    def dated(self, deployment: SeenDeployment, now: float) -> SeenDeployment:
        """Return the Deployment as seen at `now`, in seconds since the epoch, with the time if it is known."""
        seen = (deployment.uid, deployment.scaled_by, deployment.replicas)
        with self._lock:
            before, at = self._seen.get(deployment.name, (seen, 0.0))
            at = deployment.scaled_at or (at if seen == before else now)
            self._seen[deployment.name] = seen, at
        return replace(deployment, scaled_at=at if deployment.scaled_by else 0.0)


def _scaled(obj: Json) -> tuple[str, float]:
    """Return who beside us has set the number, and when; as Kubernetes notes it for each field."""
    # Two own it only where both want the same number; who scaled is then who meant it.
    newest = max(
        _owners(obj), key=lambda entry: (text(entry, "subresource") == "scale", moment(entry, "time")), default={}
    )
    manager, at = text(newest, "manager"), moment(newest, "time")
    came_with_it = 0.0 < at <= moment(obj, "metadata", "creationTimestamp") + BIRTH_SECONDS
    if manager in (FIELD_MANAGER, HELM) or came_with_it or _defaulted(obj, manager):
        return "", 0.0
    return manager, at


def _owners(obj: Json) -> list[Json]:
    """Return what is noted of those who set the number."""
    return [
        entry
        for entry in parts(obj, "metadata", "managedFields")
        if value(entry, "fieldsV1", "f:spec", "f:replicas") is not None
    ]


def _defaulted(obj: Json, manager: str) -> bool:
    """Tell whether `kubectl apply` owns the number only because it once created the Deployment without one."""
    if manager != APPLY:
        return False
    try:
        applied = orjson.loads(texts(obj, "metadata", "annotations").get(LAST_APPLIED, ""))
    except ValueError:
        return False
    return value(applied, "spec", "replicas") is None
