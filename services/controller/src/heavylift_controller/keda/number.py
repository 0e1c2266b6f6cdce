"""The number that makes KEDA's HPA ask for what we want: a pure function.

The problem: an HPA does not take a number as it is. With a target of 1 for each pod it asks for `ceil(number)`, unless
`number / status.replicas` lies within 10 % of 1: then for `status.replicas`, the pods that there are. So 11 wanted at
10 is never asked for; and right after a scale-in of ours, while the status still counts the pods that go, it may ask
for those back. It scales out only (`scaleDown.selectPolicy: Disabled`), so a number that is too low does no harm.
"""

from __future__ import annotations

TOLERANCE = 10
"""Per cent of the pods by which the number may be off before an HPA acts: the cluster's default."""


def number(*, replicas: int, wanted: int, shrinking: bool) -> int:
    """Return what to serve of a pool that asks for `replicas` workers at present and should ask for `wanted`.

    `shrinking`: a scale-in of ours is about to be made, or the status may not yet show the last one.
    """
    if wanted > replicas:
        return max(wanted, _first_beyond_tolerance(replicas))
    return _never_more_than(wanted) if shrinking or wanted < replicas else wanted


def active(*, replicas: int, wanted: int, landing: bool) -> bool:
    """Return whether KEDA must not take the pool for idle.

    Workers that still have to be drained are no reason to go to zero. `landing`: our own zero is set right after this
    was served, and KEDA would answer it with one worker if the pool were still active.
    """
    return wanted > 0 or (replicas > 0 and not landing)


def _first_beyond_tolerance(replicas: int) -> int:
    return replicas * (100 + TOLERANCE) // 100 + 1


def _never_more_than(wanted: int) -> int:
    """Return the most that makes no HPA ask for more than `wanted`, however many pods the status still counts."""
    return min(wanted, -(-(wanted + 1) * (100 - TOLERANCE) // 100) - 1)
