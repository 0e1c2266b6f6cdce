"""How many more pods of a Deployment the namespace's quotas admit."""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal

from kubernetes.utils.quantity import parse_quantity

from heavylift_controller.cluster.fields import Json, part, parts, value

ALWAYS = frozenset(("NotTerminating",))
"""Scopes that workers' pods are in. Quotas of other scopes may or may not count them, so they are left out."""
ALIASES = {"cpu": "requests.cpu", "memory": "requests.memory", "count/pods": "pods"}


def room(quotas: Iterable[Json], pod_spec: Json) -> int | None:
    """Return the number; None where no quota limits it."""
    needs = needs_of(pod_spec)
    rooms = [
        left
        for quota in quotas
        if set(_scopes(quota)) <= ALWAYS and not part(quota, "spec", "scopeSelector")
        for resource, hard in part(quota, "status", "hard").items()
        if (left := _fits(hard, value(quota, "status", "used", resource), needs.get(ALIASES.get(resource, resource))))
        is not None
    ]
    return min(rooms, default=None)


def needs_of(pod_spec: Json) -> dict[str, Decimal]:
    """Return what one pod takes of each resource that a quota may limit."""
    needs = {"pods": Decimal(1)}
    for kind in ("requests", "limits"):
        for resource in ("cpu", "memory", "ephemeral-storage"):
            running = sum((_amount(each, kind, resource) for each in parts(pod_spec, "containers")), Decimal(0))
            # Those that start the pod run one after the other, before the others.
            starting = (_amount(each, kind, resource) for each in parts(pod_spec, "initContainers"))
            needs[f"{kind}.{resource}"] = max([running, *starting])
    return needs


def _amount(container: Json, kind: str, resource: str) -> Decimal:
    given = value(container, "resources", kind, resource)
    if given is None and kind == "requests":
        given = value(container, "resources", "limits", resource)
    return _quantity(given)


def _fits(hard: object, used: object, need: Decimal | None) -> int | None:
    if not need:
        return None
    return max(0, math.floor((_quantity(hard) - _quantity(used)) / need))


def _quantity(given: object) -> Decimal:
    try:
        return parse_quantity(given) if isinstance(given, str | int | float) else Decimal(0)
    except ValueError:
        return Decimal(0)


def _scopes(quota: Json) -> list[str]:
    found = value(quota, "spec", "scopes")
    return [str(scope) for scope in found] if isinstance(found, list) else []
