"""Which other autoscaler has a Deployment's number, read from the HPAs and ScaledObjects of the namespace."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from heavylift_controller.cluster.fields import Json, name, parts, text, texts

HPA = "HorizontalPodAutoscaler"
SCALED_OBJECT = "ScaledObject"
INSTANCE = "app.kubernetes.io/instance"


def owner_of(
    deployment: str,
    labels: Mapping[str, str],
    *,
    hpas: Iterable[Json],
    scaled_objects: Iterable[Json],
    keda: bool = False,
) -> str:
    """Return the autoscaler that has it, such as `ScaledObject/video`; empty: none.

    With `keda`, a ScaledObject of the installation's own (its labels say so) asks us for the number, so it is no other.
    """
    for each in scaled_objects:
        # Without a kind it means a Deployment.
        kind = text(each, "spec", "scaleTargetRef", "kind") or "Deployment"
        if (kind, text(each, "spec", "scaleTargetRef", "name")) == ("Deployment", deployment):
            ours = keda and texts(each, "metadata", "labels").get(INSTANCE) == labels.get(INSTANCE)
            return "" if ours else f"{SCALED_OBJECT}/{name(each)}"
    for each in hpas:
        target = text(each, "spec", "scaleTargetRef", "kind"), text(each, "spec", "scaleTargetRef", "name")
        if target == ("Deployment", deployment):
            makers = [
                f"{SCALED_OBJECT}/{text(maker, 'name')}"
                for maker in parts(each, "metadata", "ownerReferences")
                if text(maker, "kind") == SCALED_OBJECT
            ]
            return next(iter(makers), f"{HPA}/{name(each)}")
    return ""
