"""What happened to a pod is found between two looks at it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.scaling.seen import What
from tests.e2e.scaling.watch import COST, pod_changes, setter_of_replicas


def _pod(*, ready: bool = False, cost: bool = False, leaving: bool = False) -> dict[str, Any]:
    metadata = {"annotations": {COST: "-1"} if cost else {}} | ({"deletionTimestamp": "now"} if leaving else {})
    return {"metadata": metadata, "status": {"conditions": [{"type": "Ready", "status": str(ready)}]}}


@pytest.mark.parametrize(
    ("before", "now", "deleted", "found"),
    [
        (None, _pod(), False, [What.CREATED]),
        (_pod(), _pod(), False, []),
        (_pod(), _pod(ready=True), False, [What.READY]),
        (_pod(ready=True), _pod(cost=True), False, [What.COSTED, What.NOT_READY]),
        (_pod(cost=True), _pod(), False, [What.UNCOSTED]),
        (_pod(), _pod(leaving=True), False, [What.LEAVING]),
        (_pod(leaving=True), _pod(leaving=True), True, []),
        (_pod(), _pod(), True, [What.LEAVING]),
    ],
)
def test_changes_of_a_pod(before: Any, now: Any, deleted: bool, found: list[What]) -> None:
    assert [*pod_changes(before, now, deleted=deleted)] == found


def test_who_set_the_number_is_who_owns_it_last() -> None:
    fields = {"f:spec": {"f:replicas": {}}}
    entries = [{"manager": "helm", "fieldsV1": {"f:spec": {}}}, {"manager": "kubectl", "fieldsV1": fields}]
    assert setter_of_replicas({"metadata": {"managedFields": entries}}) == "kubectl"
    assert setter_of_replicas({"metadata": {}}) == ""
