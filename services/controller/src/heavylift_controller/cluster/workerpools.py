"""The WorkerPool objects of an installation: made where they are missing, kept up to date, never taken over.

One object per pool, named by the pool's `resource`. Its spec is people's: it is made empty, and the only thing ever
written to it is the end of a hold. It is owned by the pool's Deployment, so it goes with it. A WorkerPool of another
name is somebody else's and left alone.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from http import HTTPStatus

from heavylift_controller.cluster.api import MERGE_PATCH, Api, ApiError, JsonObject
from heavylift_controller.cluster.crd_version import API_VERSION, KIND, PLURAL
from heavylift_controller.cluster.fields import Json, text, texts
from heavylift_controller.cluster.fields import name as name_of
from heavylift_controller.cluster.overrides import overrides_of
from heavylift_controller.cluster.pool_status import gist
from heavylift_controller.scaler.pools import Pool

FIGURES_SECONDS = 5.0
"""Between two writes of a status in which only figures have moved: at 200 pools that is 40 requests a second."""
SLACK_SECONDS = 2.0
"""After its end a hold is taken back: whoever decides by another clock has seen that it is over."""
HOLD = ("replicas", "holdUntil")
LABELS = ("app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/part-of", "heavylift.dev/pool")
"""Taken over from the Deployment: they tell whose pool it is."""


def manifest(name: str, pool: Pool, deployment: Json) -> JsonObject:
    """Return a pool's WorkerPool as it is made, owned by its Deployment."""
    labels = texts(deployment, "metadata", "labels")
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {
            "name": pool.resource,
            "labels": {
                **{label: labels[label] for label in LABELS if label in labels},
                "heavylift.dev/pool": name,
                "app.kubernetes.io/managed-by": "heavylift-controller",
            },
            "ownerReferences": [
                {
                    "apiVersion": "apps/v1",
                    "kind": "Deployment",
                    "name": text(deployment, "metadata", "name"),
                    "uid": text(deployment, "metadata", "uid"),
                }
            ],
        },
        "spec": {},
    }


class WorkerPools:
    """Writes them. Used by the leader only, by one thread."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._written: dict[str, tuple[float, JsonObject]] = {}

    def ensure(
        self, pools: Mapping[str, Pool], deployments: Mapping[str, Json], existing: Container[str]
    ) -> tuple[str, ...]:
        """Make the missing objects and return their names. Raises ApiError.

        `deployments` are objects of the API by name; a pool whose Deployment is not there waits for it. `existing` are
        the names of the WorkerPools that are there, whoever made them.
        """
        missing = {
            name: pool
            for name, pool in pools.items()
            if pool.resource and pool.resource not in existing and pool.deployment in deployments
        }
        for name, pool in missing.items():
            self._written.pop(pool.resource, None)
            self._make(manifest(name, pool, deployments[pool.deployment]))
        return tuple(pool.resource for pool in missing.values())

    def patch_status(self, name: str, status: JsonObject, *, now: float) -> bool:
        """Write a status if it says something new; return whether it was written. Raises ApiError.

        `now` is monotonic. What was decided is written at once, figures that moved by themselves now and then.
        """
        at, before = self._written.get(name, (0.0, None))
        if before == status or (before and gist(before) == gist(status) and now - at < FIGURES_SECONDS):
            return False
        self._api.request("PATCH", self._path(name, "status"), {"status": status}, content_type=MERGE_PATCH)
        self._written[name] = now, status
        return True

    def release(self, name: str, *, version: str = "") -> None:
        """End a hold: take the number and its end out of the spec. Raises ApiError.

        With the `resourceVersion` at which the object was seen, it is done only if that is still so.
        """
        released = {"metadata": {"resourceVersion": version} if version else {}, "spec": dict.fromkeys(HOLD)}
        self._api.request("PATCH", self._path(name), released, content_type=MERGE_PATCH)

    def end_holds(self, workerpools: Iterable[Json], *, now: float) -> tuple[str, ...]:
        """Release those whose time is over, and return their names. Raises ApiError.

        A hold that is over means nothing; but were its end left there, the next number would be over at once. `now` is
        in seconds since the epoch.
        """
        over = [each for each in workerpools if (overrides_of(each)[0].hold_until or now) < now - SLACK_SECONDS]
        for each in over:
            try:
                self.release(name_of(each), version=text(each, "metadata", "resourceVersion"))
            except ApiError as error:
                # Changed meanwhile, perhaps by a person who holds it anew: it is looked at again.
                if error.status != HTTPStatus.CONFLICT:
                    raise
        return tuple(name_of(each) for each in over)

    def _make(self, workerpool: JsonObject) -> None:
        try:
            self._api.request("POST", self._path(), workerpool)
        except ApiError as error:
            # Made by a leader before us, and not seen yet.
            if error.status != HTTPStatus.CONFLICT:
                raise

    def _path(self, name: str = "", subresource: str = "") -> str:
        return self._api.path(API_VERSION, PLURAL, name, subresource)
