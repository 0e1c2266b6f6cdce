"""What people ask for in a WorkerPool's spec and annotations.

The API server checks the spec, but not every server has the newest definition, and annotations are free text. What
cannot be read is left out and named: a slip of the pen must neither stop the scaling nor go unseen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import TypeVar

from heavylift_controller.cluster.fields import Json, name, part, parts, text
from heavylift_controller.scaler.platform import Overrides

ANNOTATIONS = {
    "paused": "heavylift.dev/paused",
    "freezeIn": "heavylift.dev/freeze-in",
    "freezeOut": "heavylift.dev/freeze-out",
}
"""Field of the spec -> the annotation that says the same. Where one of them says yes, it is yes."""

T = TypeVar("T")


def overrides_of(obj: Json, *, queues: Collection[str] | None = None) -> tuple[Overrides, tuple[str, ...]]:
    """Return what a WorkerPool asks for, and a sentence for each thing in it that was left out.

    `queues` are those of the pool: a target for another one is left out. A hold whose time is over is still returned:
    `hold_until` says that it is over.
    """
    reader = _Reader(obj)
    hold_at = reader.read("replicas", _count)
    hold_until = reader.read("holdUntil", _moment)
    asked = Overrides(
        hold_at=hold_at,
        hold_until=hold_until if hold_at is not None else None,
        held_by=held_by(obj) if hold_at is not None else "",
        paused=reader.switch("paused"),
        freeze_in=reader.switch("freezeIn"),
        freeze_out=reader.switch("freezeOut"),
        least=reader.read("min", _count),
        most=reader.read("max", _count),
        idle=reader.read("minIdle", _count),
        target_wait=reader.targets(queues),
    )
    return asked, tuple(reader.left_out)


def held_by(obj: Json) -> str:
    """Return the program that set `spec.replicas`, as Kubernetes has noted it.

    Of a number set by `kubectl scale` it notes none: then it is the object where the number stands.
    """
    entries = parts(obj, "metadata", "managedFields")
    setters = [entry for entry in entries if "f:replicas" in part(entry, "fieldsV1", "f:spec")]
    newest = max(setters, key=lambda entry: text(entry, "time"), default={})
    return text(newest, "manager") or f"WorkerPool/{name(obj)}"


class _Reader:
    """Reads fields one by one and notes those that cannot be read."""

    def __init__(self, obj: Json) -> None:
        self._spec = part(obj, "spec")
        self._annotations = part(obj, "metadata", "annotations")
        self.left_out: list[str] = []

    def read(self, field: str, read: Callable[[object], T]) -> T | None:
        return self._value(f"spec.{field}", self._spec.get(field), read)

    def switch(self, field: str) -> bool | None:
        annotation = ANNOTATIONS[field]
        said = self.read(field, _flag)
        noted = self._value(f"the annotation {annotation}", self._annotations.get(annotation), _word)
        return noted if said is None else said or bool(noted)

    def targets(self, queues: Collection[str] | None) -> dict[str, float]:
        targets: dict[str, float] = {}
        for queue, given in (self.read("queues", _object) or {}).items():
            target = self._value(f"spec.queues.{queue}", given, _target)
            if queues is not None and queue not in queues:
                self.left_out.append(f"spec.queues.{queue} is ignored: the pool serves no such queue.")
            elif target is not None:
                targets[queue] = target
        return targets

    def _value(self, where: str, value: object, read: Callable[[object], T]) -> T | None:
        if value is None:
            return None
        try:
            return read(value)
        except (ValueError, TypeError) as error:
            self.left_out.append(f"{where} is ignored: {error}.")
            return None


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{value!r} is no whole number of at least 0")
    return value


def _moment(value: object) -> float:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise ValueError(f"{value!r} is no time such as 2026-01-31T18:00:00Z") from None
    if moment.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone, as in 2026-01-31T18:00:00Z")
    return moment.timestamp()


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is neither true nor false")  # noqa: TRY004 - a value of the user's, not of code
    return value


def _word(value: object) -> bool:
    if value not in ("true", "false"):
        raise ValueError(f'{value!r} is neither "true" nor "false"')
    return value == "true"


def _object(value: object) -> Json:
    if not isinstance(value, Mapping):
        raise ValueError(f"{value!r} is no map")  # noqa: TRY004 - a value of the user's, not of code
    return value


def _target(value: object) -> float | None:
    seconds = _object(value).get("targetWaitSeconds")
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < math.inf:
        raise ValueError(f"{seconds!r} is no number of seconds above 0")
    return float(seconds)
