"""A WorkerPool's status: what was seen and decided, as `kubectl get` and `kubectl describe` show it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from heavylift_controller.cluster.api import JsonObject
from heavylift_controller.cluster.fields import Json, parts, text
from heavylift_controller.scaler.status import PoolStatus, of_json
from heavylift_controller.scaling import Decision, Limiter
from heavylift_controller.scaling.explain import REASONS

LIMITED = {Limiter.MAX, Limiter.QUOTA, Limiter.UNSCHEDULABLE, Limiter.FAILING}
"""More workers are wanted than there may be."""
FROZEN = {Limiter.FROZEN, Limiter.PAUSED, Limiter.FREEZE_IN, Limiter.FREEZE_OUT, Limiter.ROLLOUT}
"""The number stays, or moves in one direction only, whatever the queues say."""
FIGURES = ("waiting", "running", "oldestSeconds", "oldestSince", "reason")
"""What moves by itself while nothing is decided."""
MOST_NAMES = 50
"""Draining workers that are named: a status must stay small."""


def status_of(
    decision: Decision,
    published: Json,
    *,
    selector: str,
    generation: int,
    previous: Json | None = None,
    trouble: str = "",
    ignored: Sequence[str] = (),
    owner: str = "",
) -> JsonObject:
    """Return the whole status, as a merge patch: what is not known is null. `published` is the scaler's PoolStatus.

    `selector` finds the pool's pods, as text. `generation` is that of the object whose spec was heeded, `previous` its
    status as it stands there. `trouble` is what is wrong with the cluster's definition (crd_version), `ignored` what
    of the spec was left out (overrides), `owner` another autoscaler that has the number.
    """
    status = of_json(published)
    waits = bool(status.waiting) and status.oldest_age_seconds is not None
    age = round(status.oldest_age_seconds or 0.0)
    said = [
        _active(status, owner),
        _condition("Frozen", decision, FROZEN),
        _condition("Limited", decision, LIMITED),
        _held(status),
        _told("SpecUnderstood", bad="PartIgnored", sentence=" ".join(ignored)),
        _told("DefinitionCurrent", bad="OtherVersion", sentence=trouble),
    ]
    return {
        "pool": status.pool,
        "deployment": status.target,
        "queues": list(status.queues),
        "waiting": status.waiting,
        "running": status.running,
        "oldestSeconds": age if waits else None,
        "oldestSince": _time(status.decided_at - age) if waits else None,
        "current": status.current,
        "desired": status.desired,
        "ready": status.ready,
        "draining": list(status.draining[:MOST_NAMES]),
        "limiter": status.limiter,
        "reason": f"{status.reason} {status.note[:1].upper()}{status.note[1:]}." if status.note else status.reason,
        "heldBy": status.held_by or None,
        "holdUntil": _time(status.hold_until),
        "shadow": status.shadow,
        "replicas": status.current,
        "selector": selector,
        "lastDecisions": [
            {"at": _time(each.at), "from": each.before, "to": each.after, "reason": each.reason} for each in status.last
        ],
        "observedGeneration": generation,
        "conditions": _dated(said, previous or {}, _time(status.decided_at)),
        # Written as nothing, it becomes the default of the definition that is installed.
        "crdVersion": None,
    }


def gist(status: JsonObject) -> JsonObject:
    """Return what of a status has to be told at once: all but the figures, and the sentences with figures in them."""
    told = {name: value for name, value in status.items() if name not in FIGURES}
    words = {"limiter": str(status["limiter"]).partition(":")[0]}
    return (
        told
        | words
        | {"conditions": [(each["type"], each["status"], each["reason"]) for each in parts(status, "conditions")]}
    )


def _active(status: PoolStatus, owner: str) -> JsonObject:
    if owner:
        return _told("Active", bad="OtherAutoscaler", sentence=f"{owner} sets the number of workers, so we do not.")
    shadow = "Decisions are shown and not acted upon." if status.shadow else ""
    return _told("Active", bad="Shadow", sentence=shadow)


def _condition(kind: str, decision: Decision, limiters: set[Limiter]) -> JsonObject:
    """Return a condition that is true while one of these sets the number."""
    if decision.limiter not in limiters:
        return {"type": kind, "status": "False", "reason": f"Not{kind}", "message": ""}
    cause = f" ({decision.cause})" if decision.cause else ""
    return {
        "type": kind,
        "status": "True",
        "reason": decision.limiter.replace("-", " ").title().replace(" ", ""),
        "message": REASONS[decision.limiter].capitalize() + f"{cause}.",
    }


def _held(status: PoolStatus) -> JsonObject:
    if not status.held_by:
        return {"type": "Held", "status": "False", "reason": "NotHeld", "message": ""}
    until = f"until {_time(status.hold_until)}" if status.hold_until else "until it is released"
    message = f"{status.held_by} has set the number; it stands {until}."
    return {"type": "Held", "status": "True", "reason": "ByHand", "message": message}


def _told(kind: str, *, bad: str, sentence: str) -> JsonObject:
    """Return a condition that is true unless there is something to tell."""
    return {"type": kind, "status": str(not sentence), "reason": bad if sentence else "AllWell", "message": sentence}


def _dated(said: list[JsonObject], previous: Json, now: str | None) -> list[JsonObject]:
    """Return the conditions with the time since which each is what it is."""
    since = {
        (each.get("type"), each.get("status")): text(each, "lastTransitionTime")
        for each in parts(previous, "conditions")
    }
    return [{**each, "lastTransitionTime": since.get((each["type"], each["status"])) or now} for each in said]


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
