"""A pod as the API server describes it -> what scaling needs to know of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from heavylift_controller.cluster.fields import Json, moment, name, number, part, parts, text, texts
from heavylift_controller.scaler.platform import Pod, Stage

COST = "controller.kubernetes.io/pod-deletion-cost"
MALFORMED_COST = 0
"""What Kubernetes takes a cost for that is no number. It is not ours."""
REVISION = "pod-template-hash"
"""The label by which the Deployment's controller tells versions of the template apart."""
POOL = "heavylift.dev/pool"
"""The label that all workers' pods carry."""
WORKER = "worker"
"""The name of the worker's own container, as the chart gives it. In a pod without one any container may be it."""

WAITS = frozenset(("", "ContainerCreating", "PodInitializing"))
"""Reasons for a container to wait that pass by themselves. The others are failures: of its image, settings, program."""
REPEATED = 2
"""Restarts from which on a container counts as failing, until it has run for a while."""
STEADY_SECONDS = 60.0
"""How long it then has to run. All workers may have crashed because of something else that is over by now."""


@dataclass(frozen=True, slots=True)
class SeenPod:
    """A pod, but for what depends on the time."""

    name: str
    labels: Mapping[str, str]
    began_at: float
    """When a node was found for it, or, until then, when it was created, in seconds since the epoch."""
    stage: Stage
    ready: bool
    leaving: bool
    cost: int | None
    restarted_at: float
    """When the worker's container was last started, if that happened repeatedly; else 0."""

    @property
    def revision(self) -> str:
        """Which version of the Deployment's template it was made from."""
        return self.labels.get(REVISION, "")

    def at(self, now: float) -> Pod:
        """Return it as it is at a time, in seconds since the epoch."""
        failing = not self.ready and now - self.restarted_at < STEADY_SECONDS
        return Pod(
            name=self.name,
            age=max(0.0, now - self.began_at),
            stage=Stage.FAILING if failing else self.stage,
            ready=self.ready,
            leaving=self.leaving,
            cost=self.cost,
            revision=self.revision,
            began_at=self.began_at,
        )


def read_pod(obj: Json) -> SeenPod:
    """Return what is known of a pod."""
    status = part(obj, "status")
    conditions = {text(each, "type"): each for each in parts(status, "conditions")}
    containers = _own(status)
    restarts = max((number(each, "restartCount") for each in containers), default=0)
    return SeenPod(
        name=name(obj),
        labels=texts(obj, "metadata", "labels"),
        began_at=_scheduled_at(conditions) or moment(obj, "metadata", "creationTimestamp"),
        stage=_stage(status, conditions),
        ready=text(conditions.get("Ready"), "status") == "True",
        # A pod that has ended by itself, or was evicted, stays visible; its ReplicaSet has replaced it already.
        leaving=bool(text(obj, "metadata", "deletionTimestamp")) or text(status, "phase") in ("Succeeded", "Failed"),
        cost=_cost(texts(obj, "metadata", "annotations").get(COST)),
        restarted_at=_started_at(containers) if restarts >= REPEATED else 0.0,
    )


def _stage(status: Json, conditions: Mapping[str, Json]) -> Stage:
    if text(conditions.get("PodScheduled"), "reason") == "Unschedulable":
        return Stage.UNSCHEDULABLE
    if any(reason not in WAITS for reason in _waits(status)):
        return Stage.FAILING
    started_at = _started_at(_own(status))
    if not started_at:
        return Stage.PENDING
    # Ready is false from before a container starts until it is ready, so what turned false later was true in between.
    ready = conditions.get("Ready")
    was_ready = text(ready, "status") == "True" or moment(ready, "lastTransitionTime") > started_at
    return Stage.RUNNING if was_ready else Stage.STARTING


def _scheduled_at(conditions: Mapping[str, Json]) -> float:
    """Return when a node was found for the pod; 0: not yet."""
    scheduled = conditions.get("PodScheduled")
    return moment(scheduled, "lastTransitionTime") if text(scheduled, "status") == "True" else 0.0


def _own(status: Json) -> list[Json]:
    """Return the worker's container alone where it can be told: a sidecar may fail beside a worker that works."""
    containers = parts(status, "containerStatuses")
    return [each for each in containers if text(each, "name") == WORKER] or containers


def _waits(status: Json) -> Iterator[str]:
    """Yield why the worker's container, and those that it waits for, wait themselves."""
    own = _own(status)
    before = [] if _started_at(own) else parts(status, "initContainerStatuses")
    for each in (*before, *own):
        if waiting := part(each, "state", "waiting"):
            yield text(waiting, "reason")


def _started_at(containers: list[Json]) -> float:
    """Return when the last of the containers was started; 0 while one has yet to be."""
    starts = [
        moment(each, "state", "running", "startedAt") or moment(each, "state", "terminated", "startedAt")
        for each in containers
    ]
    return max(starts, default=0.0) if all(starts) else 0.0


def _cost(annotation: str | None) -> int | None:
    if annotation is None:
        return None
    try:
        return int(annotation)
    except ValueError:
        return MALFORMED_COST
