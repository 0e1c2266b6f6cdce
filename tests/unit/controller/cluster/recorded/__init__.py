"""Objects as Kubernetes 1.34 wrote them on a kind cluster, named by what had happened to each.

`pods.json`: pods that were made to wait, to fail, to leave; `drained` was ready and then not; fields that nothing reads
are left out. `deployments.json`: each number was set in another way. `scaled-twice` was scaled by kubectl, then by us;
`reapplied` was applied twice without a number; `helm-` is Helm 4, `helm3-` Helm 3, `-rendered` with a number.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent
PODS = json.loads((_HERE / "pods.json").read_text())
DEPLOYMENTS = json.loads((_HERE / "deployments.json").read_text())


def pod(name: str) -> dict[str, Any]:
    """Return a pod to change at will."""
    return copy.deepcopy(PODS[name])


def deployment(name: str) -> dict[str, Any]:
    """Return a Deployment to change at will."""
    return copy.deepcopy(DEPLOYMENTS[name])
