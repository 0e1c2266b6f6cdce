"""Watching a release's pools: Deployments, pods and the Lease through Kubernetes, the marks in Redis.

None of it asks the controller. Observations carry the moment at which they arrived here, which is never before they
happened.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any

import redis
from kubernetes.client.rest import ApiException
from kubernetes.watch import Watch
from urllib3.exceptions import HTTPError

from tests.e2e.release import Release
from tests.e2e.scaling.seen import Chronicle, Traits, What

COST = "controller.kubernetes.io/pod-deletion-cost"
POOL = "heavylift.dev/pool"
_TURN = 5
"""Seconds a watch goes on before it is asked whether to stop."""
_LOOK = 0.02
"""Seconds between two looks into Redis."""

WITH_TRAITS = (What.CREATED, What.LEAVING)

Raw = Mapping[str, Any]


class Watching:
    """Fills a chronicle while it is entered."""

    def __init__(self, release: Release, pools: Sequence[str], database: redis.Redis) -> None:
        self.chronicle = Chronicle()
        self._release = release
        self._pools = pools
        self._database = database
        self._stopping = threading.Event()
        self._deployments: dict[str, int] = {}
        self._pods: dict[str, Raw] = {}
        self._leader = ""
        self._marks: dict[str, frozenset[str]] = dict.fromkeys(pools, frozenset())
        self._going: dict[str, tuple[str, ...]] = dict.fromkeys(pools, ())
        cluster, instance = release.namespace.cluster, f"app.kubernetes.io/instance={release.name}"
        workers = f"{instance},app.kubernetes.io/component=worker"
        self._threads = [
            threading.Thread(target=target, args=arguments, daemon=True)
            for target, *arguments in (
                (self._follow, cluster.apps.list_namespaced_deployment, workers, self._deployment),
                (self._follow, cluster.core.list_namespaced_pod, workers, self._pod),
                (self._follow, cluster.coordination.list_namespaced_lease, "", self._lease),
                (self._look,),
            )
        ]

    def __enter__(self) -> Watching:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(_TURN + 5)

    @property
    def leader(self) -> str:
        """The controller's pod that leads, as the Lease says."""
        return self._leader

    def replicas(self, pool: str) -> int:
        """Return the number the pool's Deployment asks for."""
        return self._deployments[pool]

    def pods(self, pool: str) -> list[str]:
        """Return the pool's pods that were not told to end."""
        return [name for name, pod in list(self._pods.items()) if _pool(pod) == pool and not _leaving(pod)]

    def ready(self, pool: str) -> list[str]:
        """Return those of them that are ready."""
        return [name for name in self.pods(pool) if _is_ready(self._pods.get(name, {}))]

    def marks(self, pool: str) -> frozenset[str]:
        """Return the workers that may claim nothing."""
        return self._marks[pool]

    def _follow(self, listing: Callable[..., Any], selector: str, take: Callable[[str, Raw], None]) -> None:
        version = ""
        while not self._stopping.is_set():
            watch = Watch()
            options = {"resource_version": version} if version else {}
            try:
                for event in watch.stream(
                    listing, self._release.namespace.name, label_selector=selector, timeout_seconds=_TURN, **options
                ):
                    take(event["type"], event["raw_object"])
                version = watch.resource_version or ""
            except (ApiException, HTTPError):  # the version is too old, or the API server is busy: from the beginning
                version = ""

    def _deployment(self, kind: str, raw: Raw) -> None:
        pool, number = _pool(raw), raw["spec"]["replicas"]
        before = self._deployments.get(pool, number)
        self._deployments[pool] = number
        if before != number:
            self.chronicle.add(What.SCALED, pool, who=setter_of_replicas(raw), before=before, after=number)

    def _pod(self, kind: str, raw: Raw) -> None:
        name, pool = raw["metadata"]["name"], _pool(raw)
        for what in pod_changes(self._pods.get(name), raw, deleted=kind == "DELETED"):
            self.chronicle.add(what, pool, name=name, traits=_traits(raw) if what in WITH_TRAITS else None)
        self._pods[name] = raw
        if kind == "DELETED":
            del self._pods[name]

    def _lease(self, kind: str, raw: Raw) -> None:
        # The holder is a pod's name, `_` and a number of the process.
        holder = (raw["spec"].get("holderIdentity") or "").partition("_")[0] if kind != "DELETED" else ""
        if raw["metadata"]["name"] == f"{self._release.fullname}-scaling" and holder != self._leader:
            self._leader = holder
            self.chronicle.add(What.LEADS, "", name=holder)

    def _look(self) -> None:
        while not self._stopping.wait(_LOOK):
            with suppress(redis.RedisError):  # it is one of the things that are broken; what was seen last stands
                pipeline = self._database.pipeline(transaction=False)
                for pool in self._pools:
                    pipeline.hkeys(f"hl:{{{pool}}}:draining")
                pipeline.hmget("hl:pools", list(self._pools))
                *marks, statuses = pipeline.execute()
                for pool, names, status in zip(self._pools, marks, statuses, strict=True):
                    self._marked(pool, frozenset(name.decode() for name in names if name))
                    self._intends(pool, tuple(json.loads(status or b"{}").get("going") or ()))

    def _marked(self, pool: str, names: frozenset[str]) -> None:
        before, self._marks[pool] = self._marks[pool], names
        for name in sorted(names - before):
            self.chronicle.add(What.MARKED, pool, name=name)
        for name in sorted(before - names):
            self.chronicle.add(What.UNMARKED, pool, name=name)

    def _intends(self, pool: str, names: tuple[str, ...]) -> None:
        before, self._going[pool] = self._going[pool], names
        for name in names if names != before else ():
            self.chronicle.add(What.GOING, pool, name=name)


def pod_changes(before: Raw | None, now: Raw, *, deleted: bool) -> Iterator[What]:
    """Yield what happened to a pod between two looks at it."""
    if before is None:
        yield What.CREATED
    before = before or {}
    if (costed := COST in _annotations(now)) != (COST in _annotations(before)):
        yield What.COSTED if costed else What.UNCOSTED
    if (ready := _is_ready(now)) != _is_ready(before):
        yield What.READY if ready else What.NOT_READY
    if (_leaving(now) or deleted) and not _leaving(before):
        yield What.LEAVING


def setter_of_replicas(raw: Raw) -> str:
    """Return the field manager that owns a Deployment's number."""
    owners = [
        entry["manager"]
        for entry in raw["metadata"].get("managedFields", [])
        if "f:replicas" in entry.get("fieldsV1", {}).get("f:spec", {})
    ]
    return owners[-1] if owners else ""


def _pool(raw: Raw) -> str:
    return raw["metadata"]["labels"][POOL]


def _annotations(raw: Raw) -> Raw:
    return raw.get("metadata", {}).get("annotations") or {}


def _leaving(raw: Raw) -> bool:
    return "deletionTimestamp" in raw.get("metadata", {})


def _is_ready(raw: Raw) -> bool:
    conditions = raw.get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _traits(raw: Raw) -> Traits:
    return Traits(COST in _annotations(raw), _is_ready(raw), raw["metadata"]["labels"].get("pod-template-hash", ""))


def eventually(check: Callable[[], bool], timeout: float) -> bool:
    """Tell whether it became true within `timeout` seconds: for those who go on in either case."""
    deadline = time.monotonic() + timeout
    while not (said := check()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return said
