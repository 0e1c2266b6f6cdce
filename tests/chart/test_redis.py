"""Our own Redis: it keeps what it took, never more than it may hold, and is there only where it is wanted."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.chart.helm import Helm
from tests.chart.kube import ConfigMap, Secret, StatefulSet
from tests.chart.quantities import as_bytes
from tests.chart.release import Release, parse
from tests.chart.values import SECRETS, merged, read


def test_an_accepted_job_is_on_disk_and_never_dropped(release: Release):
    for redis in release.of(StatefulSet):
        config = _config(release, redis.name)
        assert config["appendonly"] == "yes"
        assert config["appendfsync"] in ("always", "everysec")
        assert config["maxmemory-policy"] == "noeviction"
        assert config["save"] == '""'


def test_its_memory_is_bounded_below_what_the_container_may_have(release: Release):
    for redis in release.of(StatefulSet):
        limits = redis.spec.template.spec.containers[0].resources
        assert limits, redis.id
        most = _config(release, redis.name)["maxmemory"]
        assert 0 < _redis_bytes(most) <= 0.9 * as_bytes(limits.limits["memory"])


@pytest.mark.parametrize(
    ("redis", "maxmemory"),
    [
        ({"resources": {"limits": {"memory": "1Gi"}}, "maxmemoryPercent": 50}, str(2**29)),
        ({"resources": {"limits": {"memory": 2_147_483_648}}, "maxmemoryPercent": 75}, str(3 * 2**29)),
        ({"resources": {"limits": {"memory": "4G"}}, "maxmemoryPercent": 10}, str(4 * 10**8)),
        ({"resources": {"limits": {"memory": "4Gi"}}, "maxmemory": 2_147_483_648}, str(2**31)),
        ({"resources": {"limits": {"memory": "4Gi"}}, "maxmemory": "3gb"}, "3gb"),
    ],
)
def test_what_it_may_hold_is_what_was_said(helm4: Helm, redis: dict[str, Any], maxmemory: str):
    release = parse(helm4.template(merged(SECRETS, {"redis": redis})))
    assert _config(release, "demo-heavylift-redis")["maxmemory"] == maxmemory


def test_what_a_user_configures_comes_last(helm4: Helm):
    # Redis takes the last of two lines.
    release = parse(helm4.template(merged(SECRETS, {"redis": {"config": "tcp-keepalive 60\nmaxclients 5000"}})))
    assert _config(release, "demo-heavylift-redis")["tcp-keepalive"] == "60"
    assert _config(release, "demo-heavylift-redis")["maxclients"] == "5000"


def test_its_claim_outlives_what_the_values_say(helm4: Helm):
    for policy in ("Retain", "Delete"):
        kept = {"retentionPolicy": {"whenDeleted": policy, "whenScaled": "Retain"}}
        release = parse(helm4.template(merged(SECRETS, {"redis": {"persistence": kept}})))
        retention = release.get(StatefulSet, "demo-heavylift-redis").spec.persistent_volume_claim_retention_policy
        assert retention
        assert (retention.when_deleted, retention.when_scaled) == (policy, "Retain")


def test_it_keeps_its_data_in_its_own_claim_in_a_given_one_or_nowhere(helm4: Helm):
    def storage(persistence: dict[str, Any]) -> tuple[int, str | None, bool]:
        release = parse(helm4.template(merged(SECRETS, {"redis": {"persistence": persistence}})))
        spec = release.get(StatefulSet, "demo-heavylift-redis").spec
        volumes = {volume.name: volume for volume in spec.template.spec.volumes}
        data = volumes.get("data")
        claim = data.persistent_volume_claim.claim_name if data and data.persistent_volume_claim else None
        return len(spec.volume_claim_templates), claim, bool(data and data.empty_dir)

    assert storage({}) == (1, None, False)
    assert storage({"existingClaim": "mine"}) == (0, "mine", False)
    assert storage({"enabled": False}) == (0, None, True)


def test_where_somebody_else_runs_redis_there_is_none_of_ours(helm4: Helm, values: Path):
    given = read(values)
    release = parse(helm4.template(values))
    ours = [one.id for one in release.objects if one.metadata.labels["app.kubernetes.io/component"] == "redis"]
    if given.get("redis", {}).get("enabled", True):
        assert release.of(StatefulSet)
    else:
        assert not release.of(StatefulSet)
        assert not release.of_component("redis")
        assert all(one.startswith(("Secret/", "ConfigMap/", "TriggerAuthentication/")) for one in ours)


def test_its_password_is_the_one_that_was_given(helm4: Helm):
    release = parse(helm4.template(SECRETS))
    assert release.get(Secret, "demo-heavylift-redis-auth").plain() == {"password": "a-redis-password"}


def _config(release: Release, name: str) -> dict[str, str]:
    """Return redis.conf: of two lines the last."""
    text = release.get(ConfigMap, name).data["redis.conf"]
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return dict(line.split(maxsplit=1) for line in lines)


def _redis_bytes(text: str) -> int:
    number, unit = re.findall(r"^(\d+)([kmg]?b?)$", text.lower())[0]
    powers = {"": 1, "b": 1, "k": 10**3, "kb": 2**10, "m": 10**6, "mb": 2**20, "g": 10**9, "gb": 2**30}
    return int(number) * powers[unit]
