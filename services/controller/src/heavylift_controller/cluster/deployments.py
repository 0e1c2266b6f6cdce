"""A pool's Deployment as the API server describes it -> what scaling needs to know of it."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import orjson

from heavylift_controller.cluster.api import FIELD_MANAGER, JsonObject
from heavylift_controller.cluster.fields import Json, moment, name, number, part, parts, text, texts, value
from heavylift_controller.cluster.pods import REVISION, SeenPod

HELM = "helm"
APPLY = "kubectl-client-side-apply"
SOMEBODY = "somebody"
"""Who has set a number that Kubernetes notes nobody for."""
EXPECTED_SECONDS = 45.0
"""How long after our request a number may be seen for the first time and is ours. An API server goes on with a write
whose client has gone, such as one that an admission webhook holds up, for 34 seconds."""
MOST_EXPECTED = 16
"""The newest requests for a Deployment that are remembered."""
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
    generation: int
    """Which version of its spec this is; it rises."""
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
    owner: str | None
    """Who is noted as having set `replicas`; None: nobody."""
    scaled_by: str
    """The same, if it is neither us nor Helm."""
    scaled_at: float
    """When, in seconds since the epoch; 0 where Kubernetes does not note it, as for `kubectl scale`."""
    pod_template: Json
    """The spec that its pods have."""

    @property
    def signed(self) -> bool:
        """Whether Kubernetes notes who sets `replicas`."""
        return self.owner is not None

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
    owner = _owner(obj)
    scaled_by, scaled_at = _scaled(obj, owner)
    return SeenDeployment(
        name=name(obj),
        uid=text(obj, "metadata", "uid"),
        generation=number(obj, "metadata", "generation"),
        labels=texts(obj, "metadata", "labels"),
        selector=Selector(texts(spec, "selector", "matchLabels")),
        replicas=number(spec, "replicas", default=1),
        heeded=number(status, "observedGeneration") >= number(obj, "metadata", "generation"),
        existing=number(status, "replicas"),
        updated=number(status, "updatedReplicas"),
        paused=value(spec, "paused") is True,
        owner=None if owner is None else text(owner, "manager"),
        scaled_by=scaled_by,
        scaled_at=scaled_at,
        pod_template=part(spec, "template", "spec"),
    )


@dataclass(frozen=True, slots=True)
class SeenReplicaSet:
    """One version of a Deployment's template, and how many pods of it there are to be."""

    owner: str
    """The Deployment's uid."""
    revision: str
    replicas: int
    existing: int
    """Pods of it that are not ending, as its controller counted them when it last acted on that number."""


def read_replica_set(obj: Json) -> SeenReplicaSet:
    """Return what is known of a ReplicaSet."""
    owners = [text(each, "uid") for each in parts(obj, "metadata", "ownerReferences") if each.get("controller") is True]
    return SeenReplicaSet(
        owner=next(iter(owners), ""),
        revision=texts(obj, "metadata", "labels").get(REVISION, ""),
        replicas=number(obj, "spec", "replicas", default=1),
        existing=number(obj, "status", "replicas"),
    )


def surplus(pods: Iterable[SeenPod], replica_sets: Iterable[SeenReplicaSet]) -> dict[str, int]:
    """Return how many pods of each revision are there and no longer wanted; of unknown revisions none are.

    No more than the ReplicaSet itself counted too many: it may be an older copy than that of the pods, of a time when
    the newest of them were not wanted yet.
    """
    there = Counter(pod.revision for pod in pods if not pod.leaving)
    found = {each.revision: min(there[each.revision], each.existing) - each.replicas for each in replica_sets}
    return {revision: count for revision, count in found.items() if count > 0}


@dataclass(frozen=True, slots=True)
class _Number:
    """A number of replicas as it was last seen, and who beside us had set it when."""

    uid: str
    generation: int
    replicas: int
    scaled_by: str
    scaled_at: float


class Scalings:
    """Who has set each Deployment's number, and since when it stands, where the object alone does not tell.

    Kubernetes notes no time with what is written through the scale subresource, and nobody once the number has been 0,
    until it is claimed (signature.py). So a number that changes while we look on has the time at which we saw it; and
    while we lead, one that nobody is noted for and that we did not set is somebody's. A request without an answer may
    have set it, or may yet; so the number of each is expected for a while. What was before we looked on is not known.
    May be used by any number of threads.
    """

    def __init__(self, leads: Callable[[], bool]) -> None:
        """`leads` tells whether nobody but this process sets numbers on behalf of the installation."""
        self._leads = leads
        self._numbers: dict[str, _Number] = {}
        self._expected: defaultdict[str, deque[tuple[int, float]]] = defaultdict(lambda: deque(maxlen=MOST_EXPECTED))
        """Deployment -> the number and the time of each request that may have set it, or may yet; the newest first."""
        self._lock = threading.Lock()

    def expect(self, name: str, replicas: int, now: float) -> None:
        """Note that we are about to set a number."""
        with self._lock:
            self._expected[name].appendleft((replicas, now))

    def forget(self, name: str, replicas: int) -> None:
        """Note that the newest request for this number was refused. An earlier one may not have been."""
        with self._lock:
            expected = self._expected[name]
            if refused := next((each for each in expected if each[0] == replicas), None):
                expected.remove(refused)

    def told(self, seen: SeenDeployment, now: float) -> SeenDeployment:
        """Return the Deployment as seen at `now`, in seconds since the epoch, with who and when as far as is known.

        An older copy than one seen before, such as an event of a watch that lags behind our own reading, tells nothing
        of the number: it gets the newer one, which its status cannot have heeded.
        """
        with self._lock:
            before = self._numbers.get(seen.name)
            if before is not None and before.uid == seen.uid and seen.generation < before.generation:
                newer = {"replicas": before.replicas, "scaled_by": before.scaled_by, "scaled_at": before.scaled_at}
                return replace(seen, heeded=False, **newer)
            if before is None or before.uid != seen.uid:
                by, at = seen.scaled_by, seen.scaled_at
            elif before.replicas == seen.replicas:
                # Claimed by us (signature.py), it is noted as ours, and is still somebody's.
                by, at = before.scaled_by, before.scaled_at
            else:
                by, at = self._changed(seen, now)
            self._numbers[seen.name] = _Number(seen.uid, seen.generation, seen.replicas, by, at)
        return replace(seen, scaled_by=by, scaled_at=at)

    def _changed(self, seen: SeenDeployment, now: float) -> tuple[str, float]:
        expected = self._expected[seen.name]
        ours = next((each for each in expected if each[0] == seen.replicas and now - each[1] < EXPECTED_SECONDS), None)
        if ours and not seen.scaled_by:
            expected.remove(ours)
            return "", 0.0
        by = seen.scaled_by if seen.owner is not None else SOMEBODY * self._leads()
        return by, (seen.scaled_at or now) if by else 0.0


def _owner(obj: Json) -> Json | None:
    """Return the newest entry that Kubernetes has noted for the number."""
    owners = [
        entry
        for entry in parts(obj, "metadata", "managedFields")
        if value(entry, "fieldsV1", "f:spec", "f:replicas") is not None
    ]
    # Two own it only where both want the same number; who scaled is then who meant it.
    return max(owners, key=lambda entry: (text(entry, "subresource") == "scale", moment(entry, "time")), default=None)


def _scaled(obj: Json, owner: Json | None) -> tuple[str, float]:
    """Return who beside us has set the number, and when."""
    manager, at = text(owner, "manager"), moment(owner, "time")
    came_with_it = 0.0 < at <= moment(obj, "metadata", "creationTimestamp") + BIRTH_SECONDS
    if manager in (FIELD_MANAGER, HELM) or came_with_it or _defaulted(obj, manager):
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
