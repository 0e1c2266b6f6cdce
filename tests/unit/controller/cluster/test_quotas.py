from __future__ import annotations

import pytest

from heavylift_controller.cluster.quotas import room

POD = {
    "initContainers": [{"resources": {"requests": {"memory": "1Gi"}}}],
    "containers": [
        {"resources": {"requests": {"cpu": "250m", "memory": "256Mi"}, "limits": {"memory": "512Mi"}}},
        {"resources": {"limits": {"cpu": "250m"}}},
    ],
}


def quota(hard: dict, used: dict | None = None, **spec: object) -> dict:
    return {"spec": spec, "status": {"hard": hard, "used": used or {}}}


@pytest.mark.parametrize(
    ("hard", "used", "expected"),
    [
        ({"pods": "10"}, {"pods": "7"}, 3),
        ({"count/pods": "10"}, {"count/pods": "11"}, 0),
        ({"requests.cpu": "2"}, {"requests.cpu": "600m"}, 2),
        ({"cpu": "2"}, {"cpu": "1"}, 2),
        ({"requests.memory": "4Gi"}, {"requests.memory": "512Mi"}, 3),
        ({"limits.memory": "1Gi"}, {}, 2),
        ({"pods": "10", "cpu": "1"}, {"pods": "1", "cpu": "0"}, 2),
        ({"services": "1", "requests.nvidia.com/gpu": "0"}, {}, None),
    ],
)
def test_how_many_more_pods_a_quota_admits(hard: dict, used: dict, expected: int | None):
    assert room([quota(hard, used)], POD) == expected


def test_the_tightest_of_several_counts_and_none_is_no_limit():
    assert room([quota({"pods": "5"}), quota({"pods": "3"})], POD) == 3
    assert room([], POD) is None


def test_a_quota_of_some_kinds_of_pods_only_is_left_out():
    assert room([quota({"pods": "1"}, scopes=["BestEffort"])], POD) is None
    assert (
        room([quota({"pods": "1"}, scopeSelector={"matchExpressions": [{"scopeName": "PriorityClass"}]})], POD) is None
    )
    assert room([quota({"pods": "1"}, scopes=["NotTerminating"])], POD) == 1
