"""What happened to a pool, told as Events: `kubectl describe` shows them with the object they are about."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from heavylift_controller.cluster.api import FIELD_MANAGER, JsonObject

GROUP = "events.k8s.io/v1"
ACTION = "Scaling"
AGAIN_SECONDS = 60.0
"""The same sentence about the same pool is told once in so many seconds."""
LONGEST_NOTE = 1024
"""Bytes that Kubernetes takes."""


@dataclass(frozen=True, slots=True)
class Note:
    """What is to be told."""

    pool: str
    reason: str
    sentence: str
    warning: bool


class Echo:
    """Knows what was told lately. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._told: dict[Note, float] = {}

    def fresh(self, note: Note, now: float) -> bool:
        """Tell whether it was not told lately, and take it that it is now."""
        self._told = {each: at for each, at in self._told.items() if now - at < AGAIN_SECONDS}
        return self._told.setdefault(note, now) == now


def event(note: Note, about: Mapping[str, str], *, namespace: str, instance: str) -> JsonObject:
    """Return an Event; `about` refers to the object (kind, name, uid …), `instance` is this process."""
    text = note.sentence.encode()[:LONGEST_NOTE].decode(errors="ignore")
    return {
        "apiVersion": GROUP,
        "kind": "Event",
        # Named by its first part, which is how `kubectl get events` shows what it is about.
        "metadata": {"name": f"{about['name']}.{uuid.uuid4().hex[:16]}", "namespace": namespace},
        "eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "reportingController": f"heavylift.dev/{FIELD_MANAGER}",
        "reportingInstance": instance[:128],
        "action": ACTION,
        "reason": note.reason,
        "regarding": {"namespace": namespace, **about},
        "note": text,
        "type": "Warning" if note.warning else "Normal",
    }
