"""Having Kubernetes note who sets a Deployment's number.

It notes that only where somebody is noted already, or claims the number with a server-side apply: after an install that
leaves the number out, and whenever the number has been 0, which is written as nothing, it would note nobody, neither us
nor a person with `kubectl scale`. So the number that is there is claimed; what it is stays as it is.
"""

from __future__ import annotations

from http import HTTPStatus

from heavylift_controller.cluster.api import APPLY_PATCH, Api, ApiError
from heavylift_controller.cluster.caches import APPS
from heavylift_controller.cluster.fields import number, text


def sign(api: Api, deployment: str) -> None:
    """Claim the number of a Deployment as it is; where that has just changed, not yet. Raises ApiError."""
    path = api.path(APPS, "deployments", deployment)
    found = api.request("GET", path)
    claim = {
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": {"name": deployment, "resourceVersion": text(found, "metadata", "resourceVersion")},
        "spec": {"replicas": number(found, "spec", "replicas", default=1)},
    }
    try:
        api.request("PATCH", f"{path}/scale", claim, content_type=APPLY_PATCH)
    except ApiError as error:
        if error.status != HTTPStatus.CONFLICT:
            raise
