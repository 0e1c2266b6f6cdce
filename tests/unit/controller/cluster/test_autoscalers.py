from __future__ import annotations

import pytest

from heavylift_controller.cluster.autoscalers import owner_of

OURS = {"app.kubernetes.io/instance": "media"}


def target(name: str, kind: str | None = "Deployment") -> dict:
    return {"scaleTargetRef": {"name": name} | ({"kind": kind} if kind else {})}


def scaled_object(name: str = "so", of: str = "video", kind: str | None = None, labels: dict | None = None) -> dict:
    return {"metadata": {"name": name, "labels": labels or {}}, "spec": target(of, kind)}


def hpa(name: str = "hpa", of: str = "video", made_by: str = "") -> dict:
    makers = [{"kind": "ScaledObject", "name": made_by}] if made_by else []
    return {"metadata": {"name": name, "ownerReferences": makers}, "spec": target(of)}


@pytest.mark.parametrize(
    ("hpas", "scaled_objects", "owner"),
    [
        ([], [], ""),
        ([hpa()], [], "HorizontalPodAutoscaler/hpa"),
        ([hpa(of="other")], [scaled_object(of="other")], ""),
        ([], [scaled_object()], "ScaledObject/so"),
        ([hpa("keda-hpa-so", made_by="so")], [scaled_object()], "ScaledObject/so"),
        ([hpa("keda-hpa-so", made_by="so")], [], "ScaledObject/so"),
        ([], [scaled_object(kind="StatefulSet")], ""),
    ],
)
def test_who_else_scales_a_deployment(hpas: list[dict], scaled_objects: list[dict], owner: str):
    assert owner_of("video", OURS, hpas=hpas, scaled_objects=scaled_objects) == owner


def test_with_keda_the_scaled_object_of_the_installation_is_no_other():
    ours, others = scaled_object(labels=OURS), scaled_object()
    hpas = [hpa("keda-hpa-so", made_by="so")]

    assert owner_of("video", OURS, hpas=hpas, scaled_objects=[ours], keda=True) == ""
    assert owner_of("video", OURS, hpas=hpas, scaled_objects=[others], keda=True) == "ScaledObject/so"
    assert owner_of("video", OURS, hpas=hpas, scaled_objects=[ours]) == "ScaledObject/so"
