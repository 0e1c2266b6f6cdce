"""What is known of the cluster without asking it: the copies of all kinds that scaling looks at."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from heavylift_controller.cluster.absence import Absence
from heavylift_controller.cluster.api import Api, JsonObject
from heavylift_controller.cluster.autoscalers import owner_of
from heavylift_controller.cluster.crd_version import API_VERSION, PLURAL
from heavylift_controller.cluster.deployments import (
    Scalings,
    SeenDeployment,
    SeenReplicaSet,
    read_deployment,
    read_replica_set,
)
from heavylift_controller.cluster.fields import Json
from heavylift_controller.cluster.listing import Listing
from heavylift_controller.cluster.pods import POOL, SeenPod, read_pod
from heavylift_controller.cluster.quotas import room
from heavylift_controller.cluster.watch import Watch
from heavylift_controller.scaling.state import STALE

APPS = "apps/v1"


class Caches:
    """Copies of the namespace's objects."""

    def __init__(self, api: Api, leads: Callable[[], bool], *, keda: bool = False) -> None:
        """`leads` tells whether this process sets the numbers. With `keda`, KEDA scales out by what we tell it."""
        self._keda = keda
        self.scalings = Scalings(lambda: leads() and not keda)
        self._pods = Watch(api, api.path("v1", "pods"), read_pod, selector=POOL)
        self._deployments = Watch(api, api.path(APPS, "deployments"), self.read, selector=POOL)
        replica_sets = api.path(APPS, "replicasets")
        self._replica_sets = Watch(api, replica_sets, read_replica_set, selector=POOL, absence=Absence(self._may_read))
        self._people = Absence(self._may_read)
        """Whether it is known what people ask for, if only that there is nowhere to."""
        workerpools = api.path(API_VERSION, PLURAL)
        self._workerpools: Watch[JsonObject] = Watch(api, workerpools, lambda obj: obj, absence=self._people)
        self._hpas = api.path("autoscaling/v2", "horizontalpodautoscalers")
        self._scaled_objects = api.path("keda.sh/v1alpha1", "scaledobjects")
        self._quotas = api.path("v1", "resourcequotas")
        self._listing = Listing(api, self._hpas, self._scaled_objects, self._quotas, may_read=self._may_read)
        self._followed: list[Watch[Any] | Listing] = []

    def start(self) -> None:
        """Start to follow all that is always needed."""
        for each in (self._pods, self._deployments, self._workerpools, self._listing):
            self._follow(each)

    def stop(self) -> None:
        """Stop following."""
        for each in self._followed:
            each.stop()

    def unread(self) -> str:
        """Return what was not read yet and might forbid what is done to pods and Deployments; empty: nothing."""
        if not self._people.known:
            return "WorkerPools"
        return "" if self._listing.complete.is_set() else "other autoscalers and quotas"

    def age(self) -> float:
        """Return the seconds since pods and Deployments were last known to be so; infinite before the first time."""
        return max(self._pods.age(), self._deployments.age())

    def read(self, obj: Json) -> SeenDeployment:
        """Return what is known of a Deployment, with who has set its number and when."""
        return self.scalings.told(read_deployment(obj), time.time())

    def deployments(self) -> Mapping[str, SeenDeployment]:
        """Return the pools' Deployments by name."""
        return self._deployments.objects()

    def pods(self) -> Mapping[str, Sequence[SeenPod]]:
        """Return the workers' pods by their pool's label."""
        found: dict[str, list[SeenPod]] = defaultdict(list)
        for pod in self._pods.objects().values():
            found[pod.labels[POOL]].append(pod)
        return found

    def replica_sets(self) -> Sequence[SeenReplicaSet]:
        """Return the ReplicaSets, which are followed once they are asked for; none where they may not be read."""
        self._follow(self._replica_sets)
        if self._replica_sets.absent:
            return ()  # an old copy would have pods drained that are wanted by now
        return tuple(self._replica_sets.objects().values())

    def workerpools(self) -> Mapping[str, JsonObject]:
        """Return the WorkerPools by name; none where the cluster has no definition of them."""
        return self._workerpools.objects()

    @property
    def workerpools_absent(self) -> bool:
        """Whether there is no definition of WorkerPool, or no right to read them."""
        return self._workerpools.absent

    def owner(self, deployment: SeenDeployment) -> str:
        """Return another autoscaler that has the Deployment's number; empty: there is none."""
        return owner_of(
            deployment.name,
            deployment.labels,
            hpas=self._listing.objects(self._hpas),
            scaled_objects=self._listing.objects(self._scaled_objects),
            keda=self._keda,
        )

    def room(self, deployment: SeenDeployment) -> int | None:
        """Return how many more of its pods the quotas admit; None: there are none."""
        if self._listing.absent(self._quotas):
            return None  # as it was, it might bound the pool for ever: what it forbids, the API server refuses
        quotas = self._listing.objects(self._quotas)
        return room(quotas, deployment.pod_template) if quotas else None

    def _may_read(self) -> bool:
        return self._pods.age() <= STALE

    def _follow(self, each: Watch[Any] | Listing) -> None:
        if each not in self._followed:
            self._followed.append(each)
            each.start()
