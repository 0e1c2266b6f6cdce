"""What Kubernetes's HorizontalPodAutoscaler makes of an external metric with a target of 1 for each pod.

Of `pkg/controller/podautoscaler` in Kubernetes 1.34: the tolerance is looked at with the pods that the status counts,
the answer compared with those the spec asks for; a scale-out has no limit here, a scale-in is disabled.
"""

from __future__ import annotations

import math

TOLERANCE = 0.1


def next_replicas(metric: float, *, spec: int, status: int, most: int = 10_000) -> int:
    """Return what the spec asks for after the HPA's next look."""
    if spec == 0:
        return 0  # a pool at zero is not its business
    proposed = min(max(_proposal(metric, status), 1), most)
    return max(proposed, spec)


def _proposal(metric: float, status: int) -> int:
    if status and 1 - TOLERANCE <= metric / status <= 1 + TOLERANCE:
        return status
    return math.ceil(metric)
