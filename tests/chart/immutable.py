"""What Kubernetes lets nobody change of an object that is there: a chart that changes it cannot be upgraded to."""

from typing import Any

from tests.chart.kube import Deployment, Kube, Part, PersistentVolumeClaim, RoleBinding, Secret, Service, StatefulSet
from tests.chart.release import Release

OF_SPEC: dict[type[Kube], set[str]] = {
    Deployment: {"selector"},
    StatefulSet: {"selector", "service_name", "pod_management_policy", "volume_claim_templates"},
    Service: {"cluster_ip"},
    # More storage may be asked for, where the class allows it.
    PersistentVolumeClaim: {"access_modes", "storage_class_name", "volume_mode", "volume_name", "selector"},
}
OF_OBJECT: dict[type[Kube], set[str]] = {RoleBinding: {"role_ref"}, Secret: {"type"}}


def fields(release: Release) -> dict[str, dict[str, Any]]:
    """Return the immutable fields of each object of a kind that has some, by kind and name."""
    found = {}
    for one in release.objects:
        if type(one) in OF_SPEC:
            found[one.id] = _only(vars(one)["spec"], OF_SPEC[type(one)])
        elif type(one) in OF_OBJECT:
            found[one.id] = _only(one, OF_OBJECT[type(one)])
    return found


def _only(part: Part, names: set[str]) -> dict[str, Any]:
    return part.model_dump(mode="json", by_alias=True, exclude_unset=True, include=names)
