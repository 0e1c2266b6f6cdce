"""Kubernetes as the place where workers run.

What it says is from copies that a few watches keep; before anything is taken away it is read anew. It writes three
things that matter, each guarded by a test in the request itself: the number, only if it is still the one decided from,
and a lower one only if nothing of the Deployment has changed since it was read; a pod's deletion cost, only where there
is none; and that taken back, only where it is ours.
"""

from __future__ import annotations

import math
import socket
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from http import HTTPStatus

import structlog

from heavylift_controller.cluster.api import JSON_PATCH, READ_SECONDS, Api, ApiError, JsonObject
from heavylift_controller.cluster.caches import APPS, Caches
from heavylift_controller.cluster.deployments import (
    SeenDeployment,
    SeenReplicaSet,
    read_replica_set,
    surplus,
)
from heavylift_controller.cluster.events import Note
from heavylift_controller.cluster.fields import Json, text, texts
from heavylift_controller.cluster.lease import Lease
from heavylift_controller.cluster.overrides import overrides_of
from heavylift_controller.cluster.pods import COST, POOL, SeenPod, read_pod
from heavylift_controller.cluster.reporter import Reporter
from heavylift_controller.cluster.workerpools import WorkerPools
from heavylift_controller.scaler.platform import DRAINED, Overrides, PlatformError, Scaled, Sight
from heavylift_controller.scaler.pools import Pool
from heavylift_controller.scaling import Decision
from heavylift_controller.scaling.state import STALE

MARGIN = 1.0
"""Seconds before the leadership may end by which a request that takes workers away is over."""
WORK_SECONDS = 2.0
"""How long one call begins with further pods."""
COST_PATH = f"/metadata/annotations/{COST.replace('/', '~1')}"

log = structlog.get_logger()


class KubernetesPlatform:
    """Implements `Platform` for the Deployments of a namespace."""

    def __init__(self, api: Api, pools: Callable[[], Mapping[str, Pool]], *, lease: str, keda: bool = False) -> None:
        """`pools` returns the pools as they are now. With `keda`, KEDA scales out by what we tell it."""
        instance = f"{socket.gethostname()}_{uuid.uuid4().hex[:8]}"
        self._api = api
        self._pools = pools
        self._unchanged: dict[str, Sequence[JsonObject]] = {}
        """Pool -> a patch's conditions that its Deployment is still as the last look has shown it; each serves once."""
        self._lease = Lease(api, lease, instance)
        self._caches = Caches(api, lambda: self._lease.epoch() is not None, keda=keda)
        self.leadership = self._lease
        self._workerpools = WorkerPools(api)
        self._reporter = Reporter(api, self._caches, pools, self._lease, instance=instance)

    def start(self) -> None:
        """Begin to look, and to take part in the election of who leads."""
        self._caches.start()
        self._lease.start()
        self._reporter.start()

    def close(self) -> None:
        """Tell what is still to be told, lead no more, so that another one may at once, and look no more."""
        self._reporter.stop()
        self._lease.stop()
        self._caches.stop()
        self._api.close()

    def look(self) -> Mapping[str, Sight]:
        """Return the pools whose Deployments there are, as last seen. Raises PlatformError."""
        if unread := self._caches.unread():
            raise PlatformError(f"{unread} were not seen yet")
        age = self._caches.age()
        if age > STALE:
            ago = "not seen yet" if math.isinf(age) else f"last seen {age:.0f} s ago"
            raise PlatformError(f"pods and Deployments were {ago}")
        pools, deployments, pods = self._pools(), self._caches.deployments(), self._caches.pods()
        replica_sets = self._caches.replica_sets() if any(pool.guard for pool in pools.values()) else ()
        workerpools = self._caches.workerpools()
        now = time.time()
        sights: dict[str, Sight] = {}
        for name, pool in pools.items():
            if deployment := deployments.get(pool.deployment):
                own = _own(deployment, pods)
                people = overrides_of(workerpools.get(pool.resource, {}), queues=pool.queues)[0]
                sights[name] = self._sight(pool, deployment, own, replica_sets, people, now=now, read_ago=age)
        return sights

    def look_again(self, pool: str) -> Sight:
        """Return the pool, read from the API server now. Raises PlatformError."""
        settings, asked_at = self._pool(pool), time.monotonic()
        self._unchanged.pop(pool, None)
        found_deployment = self._get(settings.deployment)
        deployment = self._caches.read(found_deployment)
        selector = str(deployment.selector)
        sets: list[SeenReplicaSet] = []
        if settings.guard:
            found, _ = self._api.list_all(self._api.path(APPS, "replicasets"), selector=selector)
            sets = [read_replica_set(obj) for obj in found]
        # Last, since what is seen of the pods decides who may go.
        found, _ = self._api.list_all(self._api.path("v1", "pods"), selector=selector)
        pods = [read_pod(obj) for obj in found]
        people = overrides_of(self._caches.workerpools().get(settings.resource, {}), queues=settings.queues)[0]
        ago = time.monotonic() - asked_at
        self._unchanged[pool] = _still(found_deployment)
        return self._sight(settings, deployment, pods, sets, people, now=time.time(), read_ago=ago)

    def scale(self, pool: str, *, current: int, to: int) -> Scaled:
        """Set the number, if it still is `current`. Raises PlatformError: it may or may not have been set.

        A lower one is set only after `look_again`, once for each, and if the Deployment is still what that has shown.
        """
        name = self._pool(pool).deployment
        unchanged = self._unchanged.pop(pool, ())
        if to == current:
            return Scaled.DONE  # written all the same, it would make Kubernetes forget who has set the number
        patch = [
            # A Scale of zero replicas has no such field.
            {"op": "test", "path": "/spec/replicas", "value": current or None},
            {"op": "add", "path": "/spec/replicas", "value": to},
        ]
        path = self._api.path(APPS, "deployments", name, "scale")
        if to > current:
            send = partial(self._api.request, "PATCH", path, patch, content_type=JSON_PATCH, once=True)
            return self._set(name, send, current=current, to=to)
        seconds = min(READ_SECONDS, self.leadership.left() - MARGIN)
        if not unchanged or seconds <= 0:
            log.info("scale_in_left", deployment=name, read=bool(unchanged), seconds=seconds)
            return Scaled.CHANGED
        # The number alone may be the same again, after another leader has given the drained workers jobs.
        guarded = [*unchanged, *patch]
        send = partial(self._api.attempt, "PATCH", path, guarded, content_type=JSON_PATCH, seconds=seconds)
        return self._set(name, send, current=current, to=to, unchanged=unchanged)

    def mark(self, pool: str, pods: Sequence[str]) -> None:  # noqa: ARG002 - a pod's name is enough
        """Give pods the deletion cost of those that go first, if they have none of others'. Raises PlatformError.

        After two seconds no more pods are begun with: the leadership and other pools need the time, and the next turn
        finds again what is left.
        """
        for name in _for_a_while(pods):
            self._set_cost(name)

    def unmark(self, pool: str, pods: Sequence[str]) -> None:  # noqa: ARG002 - a pod's name is enough
        """Take our deletion cost from pods; another one stays. Raises PlatformError.

        After two seconds no more pods are begun with, as with `mark`.
        """
        patch = [{"op": "test", "path": COST_PATH, "value": str(DRAINED)}, {"op": "remove", "path": COST_PATH}]
        for name in _for_a_while(pods):
            self._patch_pod(name, patch)

    def release(self, pool: str) -> None:
        """Take the number out of the pool's WorkerPool. Raises PlatformError."""
        resource = self._pool(pool).resource
        if resource in self._caches.workerpools():
            self._workerpools.release(resource)

    def show(self, pool: str, decision: Decision, status: Mapping[str, object]) -> None:
        """Have the status of the pool's WorkerPool written, in the background."""
        self._reporter.show(pool, decision, status)

    def note(self, pool: str, reason: str, sentence: str, *, warning: bool = False) -> None:
        """Have an Event written about the pool, in the background."""
        self._reporter.note(Note(pool, reason, sentence, warning))

    def _pool(self, name: str) -> Pool:
        pool = self._pools().get(name)
        if pool is None:
            raise PlatformError(f"there is no pool {name}")
        return pool

    def _get(self, deployment: str) -> JsonObject:
        return self._api.request("GET", self._api.path(APPS, "deployments", deployment))

    def _set(
        self,
        name: str,
        send: Callable[[], object],
        *,
        current: int,
        to: int,
        unchanged: Sequence[JsonObject] = (),
    ) -> Scaled:
        """Send the request that sets the number, and return what became of it. Raises PlatformError."""
        self._caches.scalings.expect(name, to, time.time())
        try:
            send()
        except ApiError as error:
            refused = HTTPStatus.BAD_REQUEST <= error.status < HTTPStatus.INTERNAL_SERVER_ERROR
            if not refused or error.status == HTTPStatus.TOO_MANY_REQUESTS:
                raise
            return self._why_not(name, current, to, unchanged, error)
        return Scaled.DONE

    def _sight(
        self,
        pool: Pool,
        deployment: SeenDeployment,
        pods: Sequence[SeenPod],
        replica_sets: Iterable[SeenReplicaSet],
        people: Overrides,
        *,
        now: float,
        read_ago: float,
    ) -> Sight:
        own_sets = [each for each in replica_sets if each.owner == deployment.uid]
        return Sight(
            replicas=deployment.replicas,
            pods=tuple(pod.at(now) for pod in pods),
            settled=deployment.settled(pods),
            rollout=deployment.rollout(pods),
            surplus=surplus(pods, own_sets) if pool.guard else {},
            scaled_by=deployment.scaled_by,
            scaled_at=deployment.scaled_at,
            owner=self._caches.owner(deployment),
            quota_room=self._caches.room(deployment),
            read_ago=read_ago,
            overrides=people,
        )

    def _why_not(self, name: str, current: int, to: int, unchanged: Sequence[JsonObject], error: ApiError) -> Scaled:
        """Tell a Deployment that is no longer what was decided from, from a refusal. Raises PlatformError."""
        # This request has not set the number that is read now; an earlier one, whose answer was lost, may have.
        self._caches.scalings.forget(name, to)
        found = self._get(name)
        now = self._caches.read(found).replicas
        # A version never comes again: what has failed the test differs now too.
        other = bool(unchanged) and _still(found) != unchanged
        if now != current or other or error.status == HTTPStatus.CONFLICT:
            log.info("scale_overtaken", deployment=name, decided_from=current, found=now)
            return Scaled.CHANGED
        log.warning("scale_refused", deployment=name, reason=str(error))
        return Scaled.REFUSED

    def _set_cost(self, name: str) -> None:
        ours = str(DRAINED)
        if self._patch_pod(name, [_test(COST_PATH), {"op": "add", "path": COST_PATH, "value": ours}]):
            return
        try:
            pod = self._api.request("GET", self._api.path("v1", "pods", name))
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return
            raise
        annotations = texts(pod, "metadata", "annotations")
        if annotations.get(COST) == ours:
            return
        all_path = "/metadata/annotations"
        patch = [_test(all_path), {"op": "add", "path": all_path, "value": {COST: ours}}]
        if annotations or not self._patch_pod(name, patch):
            raise PlatformError(f"pod {name} has a deletion cost that is not ours: {annotations.get(COST, 'just set')}")

    def _patch_pod(self, name: str, patch: Sequence[Mapping[str, object]]) -> bool:
        """Patch a pod's metadata; returns whether its test held. A pod that is gone is left in peace."""
        try:
            self._api.request("PATCH", self._api.path("v1", "pods", name, "status"), patch, content_type=JSON_PATCH)
        except ApiError as error:
            if error.status not in (HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY):
                raise
            return error.status == HTTPStatus.NOT_FOUND
        return True


def _test(path: str) -> dict[str, object]:
    """Return a patch's condition that nothing is there."""
    return {"op": "test", "path": path, "value": None}


def _for_a_while(names: Iterable[str]) -> Iterator[str]:
    """Yield the first, and further ones until the time for that is over."""
    end = time.monotonic() + WORK_SECONDS
    for name in names:
        yield name
        if time.monotonic() >= end:
            return


def _still(obj: Json) -> Sequence[JsonObject]:
    """Return a patch's conditions that nothing of an object has changed."""
    keys = ("uid", "resourceVersion")
    return [{"op": "test", "path": f"/metadata/{key}", "value": text(obj, "metadata", key)} for key in keys]


def _own(deployment: SeenDeployment, pods: Mapping[str, Sequence[SeenPod]]) -> list[SeenPod]:
    """Return a Deployment's pods."""
    candidates = pods.get(deployment.selector.labels.get(POOL, ""), ())
    return [pod for pod in candidates if deployment.selector.matches(pod.labels)]
