"""Scaling as the chart sets it up: what the controller is told and may do, and nothing of it where others scale."""

import json
from typing import Any

import pytest

from heavylift_controller import cluster
from heavylift_controller.scaler.pools import Pool, PoolQueue, PoolWindow
from heavylift_controller.scaler.pools import parse as parse_pools
from tests.chart.helm import NAMESPACE, Helm
from tests.chart.kube import (
    ConfigMap,
    Deployment,
    Role,
    RoleBinding,
    Service,
    ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicyBinding,
)
from tests.chart.kube.config import Rule
from tests.chart.release import POOL, Release, Run, parse
from tests.chart.values import SECRETS, merged

POOLS = "demo-heavylift-pools"
CONTROLLER = "demo-heavylift-controller"
VIDEO, RESOURCE, LEASE = "demo-heavylift-worker-video", "demo-heavylift-video", "demo-heavylift-scaling"

Right = tuple[str, str, str]
"""Group, resource and verb."""

ACTING: set[Right] = {("apps", "deployments/scale", "patch"), ("", "pods/status", "patch")}
REMINDING: set[Right] = {("keda.sh", "scaledobjects", "get"), ("keda.sh", "scaledobjects", "patch")}


def test_the_controller_reads_of_every_pool_what_its_workers_do(release: Release):
    (controller,) = release.of_component("controller")
    if "HEAVYLIFT_SCALING" not in _environment(controller):
        return
    pools = _told(release)
    workers = {run.labels[POOL]: run for run in release.of_component("worker")}
    assert pools.keys() == workers.keys()
    for name, pool in pools.items():
        environment = _environment(workers[name])
        assert environment["HEAVYLIFT_POOL"] == name
        assert pool.deployment == workers[name].owner.name
        assert pool.slots == int(environment["HEAVYLIFT_CONCURRENCY"])
        by_priority = sorted(pool.queues, key=lambda queue: -pool.queues[queue].priority)
        assert ",".join(by_priority) == environment["HEAVYLIFT_QUEUES"], name


def test_the_file_of_the_pools_is_where_the_controller_looks(helm4: Helm):
    run = _render(helm4).run(CONTROLLER)
    (volume,) = [volume for volume in run.spec.volumes if volume.config_map]
    (mount,) = [mount for mount in run.spec.containers[0].volume_mounts if mount.name == volume.name]
    assert volume.config_map
    assert volume.config_map.name == POOLS
    assert _environment(run)["HEAVYLIFT_POOLS_FILE"] == f"{mount.mount_path}/pools.json"
    assert mount.sub_path is None  # else the kubelet would not bring a changed one


def test_a_pool_is_told_in_seconds_as_the_values_have_it(helm4: Helm):
    queues = {"b": {"targetWaitSeconds": 2.5, "priority": 7}, "c": {"expectedServiceSeconds": 600}}
    windows = [
        {"cron": "0 8 * * 1-5", "duration": "10h", "min": 2, "timezone": "Europe/Berlin"},
        {"cron": "*/5 * * * *", "duration": 90, "min": 1},
    ]
    limits = {"min": 0, "max": 40, "minIdle": 3, "targetWaitSeconds": 20, "paused": True, "freezeIn": True}
    pool = {"queues": ["a", "b", "c"], "concurrency": 4, "autoscaling": limits | {"queues": queues, "windows": windows}}
    told = _told(_render(helm4, {"scaling": {"manualHold": "1h"}, "workers": {"pools": {"many": pool}}}))
    assert told["many"] == Pool(
        deployment="demo-heavylift-worker-many",
        resource="demo-heavylift-many",
        queues={
            "a": PoolQueue(target_wait_seconds=20, priority=1, expected_service_seconds=10),
            "b": PoolQueue(target_wait_seconds=2.5, priority=2, expected_service_seconds=10),
            "c": PoolQueue(target_wait_seconds=20, priority=0, expected_service_seconds=600),
        },
        slots=4,
        min=0,
        max=40,
        min_idle=3,
        windows=(
            PoolWindow(cron="0 8 * * 1-5", duration_seconds=36000, min=2, timezone="Europe/Berlin"),
            PoolWindow(cron="*/5 * * * *", duration_seconds=90, min=1),
        ),
        manual_hold_seconds=3600,
        paused=True,
        freeze_in=True,
    )


def test_nothing_said_is_what_the_controller_takes_for_nothing_said(helm4: Helm):
    (told,) = _told(_render(helm4)).values()
    usual = Pool(deployment=VIDEO, resource=RESOURCE, queues={"video": PoolQueue()}, min=1)
    assert told == usual


@pytest.mark.parametrize(
    ("priorities", "order"),
    [
        ({}, "x,a,b"),
        ({"b": 1}, "b,x,a"),
        ({"a": 9, "b": 10}, "b,a,x"),
        ({"x": 0, "a": 0, "b": 0}, "x,a,b"),
    ],
    ids=str,
)
def test_queues_of_a_higher_priority_are_served_first(helm4: Helm, priorities: dict[str, int], order: str):
    queues = {queue: {"priority": priority} for queue, priority in priorities.items()}
    values = {"workers": {"pools": {"video": {"queues": ["x", "a", "b"], "autoscaling": {"queues": queues}}}}}
    assert _environment(_render(helm4, values).run(VIDEO))["HEAVYLIFT_QUEUES"] == order


@pytest.mark.parametrize(
    ("engine", "shadow", "how", "looks_on"),
    [
        ("builtin", False, "kubernetes", False),
        ("builtin", True, "kubernetes", True),
        ("keda", False, "keda", False),
        ("keda", True, "kubernetes", True),
        ("hpa", True, "kubernetes", True),
        ("none", True, "kubernetes", True),
    ],
)
def test_an_engine_is_what_the_controller_is_told(helm4: Helm, engine: str, shadow: bool, how: str, looks_on: bool):
    release = _render(helm4, {"scaling": {"engine": engine, "shadow": shadow}})
    environment = _environment(release.run(CONTROLLER))
    assert environment["HEAVYLIFT_SCALING"] == how
    assert environment["HEAVYLIFT_NAMESPACE"] == NAMESPACE
    assert environment["HEAVYLIFT_SCALING_LEASE"] == LEASE
    assert [pool.shadow for pool in _told(release).values()] == [looks_on]


@pytest.mark.parametrize("engine", ["hpa", "none"])
def test_where_others_scale_the_controller_gets_no_rights_and_hears_of_no_pools(helm4: Helm, engine: str):
    release = _render(helm4, {"scaling": {"engine": engine}})
    assert not [*release.of(Role), *release.of(RoleBinding)]
    assert POOLS not in {one.name for one in release.of(ConfigMap)}
    environment = _environment(release.run(CONTROLLER))
    assert not {name for name in environment if "SCALING" in name or "POOL" in name}
    assert release.run(CONTROLLER).spec.automount_service_account_token is False


def test_the_rights_are_those_the_controller_says_it_needs(helm4: Helm):
    assert _rights(_render(helm4)) == _needed() - _with_guard()
    assert _rights(_render(helm4, {"scaling": {"guard": {"enabled": True}}})) == _needed()


def test_with_keda_it_may_remind_keda_too(helm4: Helm):
    assert _rights(_render(helm4, {"scaling": {"engine": "keda"}})) == (_needed() - _with_guard()) | REMINDING


def test_looking_on_it_may_set_no_number_and_mark_no_pod(helm4: Helm):
    for engine in ("builtin", "keda", "hpa", "none"):
        release = _render(helm4, {"scaling": {"engine": engine, "shadow": True, "guard": {"enabled": True}}})
        assert _rights(release) == _needed() - _with_guard() - ACTING, engine


def test_it_may_set_no_number_of_a_pool_that_keda_scales_by_itself(helm4: Helm):
    pools = {"images": {"queues": ["images"], "autoscaling": {"keda": {"mode": "simple"}}}}
    release = _render(helm4, {"scaling": {"engine": "keda"}, "workers": {"pools": pools}})
    assert {name: pool.shadow for name, pool in _told(release).items()} == {"images": True, "video": False}
    (role,) = release.of(Role)
    (names,) = [rule.resource_names for rule in role.rules if "deployments/scale" in rule.resources]
    assert names == [VIDEO]


def test_what_can_be_named_is_named(helm4: Helm):
    (role,) = _render(helm4, {"scaling": {"engine": "keda"}}).of(Role)
    named = {
        (resource, verb): rule.resource_names
        for rule in role.rules
        for resource in rule.resources
        for verb in rule.verbs
        if verb not in ("create", "list", "watch")  # Kubernetes cannot bind these to a name
    }
    assert named == {
        ("deployments", "get"): [],
        ("deployments/scale", "patch"): [VIDEO],
        ("pods", "get"): [],
        ("pods/status", "patch"): [],  # a pod's name is not known beforehand
        ("leases", "get"): [LEASE],
        ("leases", "update"): [LEASE],
        ("workerpools", "patch"): [RESOURCE],
        ("workerpools/status", "patch"): [RESOURCE],
        ("scaledobjects", "get"): [VIDEO],
        ("scaledobjects", "patch"): [VIDEO],
    }


def test_no_rule_is_wider_than_it_looks(release: Release):
    for role in release.of(Role):
        for rule in role.rules:
            assert rule.resources, role.id
            assert rule.verbs, role.id
            assert "*" not in [*rule.api_groups, *rule.resources, *rule.verbs], role.id
            assert "secrets" not in rule.resources, role.id
            # An empty list of names is none at all: the rule would hold for every object.
            assert rule.resource_names or "resource_names" not in rule.model_fields_set, role.id


def test_without_a_pool_there_is_nothing_to_set(helm4: Helm):
    release = _render(helm4, {"workers": {"pools": {"video": None}}})
    assert _told(release) == {}
    assert not _rights(release) & (ACTING | {("heavylift.dev", "workerpools", "patch")})


def test_the_rights_are_the_controllers_account(helm4: Helm):
    for account in ({}, {"name": "scaler"}, {"create": False, "name": "scaler"}):
        release = _render(helm4, {"controller": {"serviceAccount": account}})
        (binding,) = release.of(RoleBinding)
        (subject,) = binding.subjects
        assert subject.name == release.run(CONTROLLER).spec.service_account_name
        assert subject.namespace == NAMESPACE


def test_the_rights_can_be_left_to_others(helm4: Helm):
    release = _render(helm4, {"controller": {"rbac": {"create": False}}})
    assert not [*release.of(Role), *release.of(RoleBinding)]
    assert _environment(release.run(CONTROLLER))["HEAVYLIFT_SCALING"] == "kubernetes"
    assert release.run(CONTROLLER).spec.automount_service_account_token is True


def test_keda_finds_the_controller(helm4: Helm):
    for engine, found in (("keda", ["keda", "metrics"]), ("builtin", [])):
        services = [
            one for one in _render(helm4, {"scaling": {"engine": engine}}).of(Service) if one.name == CONTROLLER
        ]
        assert [port.name for service in services for port in service.spec.ports] == found


def test_the_guard_is_rendered_where_somebody_drains(helm4: Helm):
    for engine, shadow in (("builtin", False), ("keda", False), ("builtin", True), ("hpa", False), ("none", False)):
        scaling = {"engine": engine, "shadow": shadow, "guard": {"enabled": True}}
        guards = _guards(_render(helm4, {"scaling": scaling}))
        assert len(guards) == (2 if engine in ("builtin", "keda") and not shadow else 0), scaling
    assert not _guards(_render(helm4))


def test_the_guard_guards_the_releases_workers_and_nothing_else(helm4: Helm):
    release = _render(helm4, {"scaling": {"guard": {"enabled": True}}})
    (policy,) = release.of(ValidatingAdmissionPolicy)
    (binding,) = release.of(ValidatingAdmissionPolicyBinding)
    where = policy.spec.match_constraints
    assert binding.spec.policy_name == policy.name
    assert where.namespace_selector
    assert where.namespace_selector.match_labels == {"kubernetes.io/metadata.name": NAMESPACE}
    assert where.object_selector
    assert {run.component for run in release.runs() if where.object_selector.matches(run.labels)} == {"worker"}


def test_two_releases_have_two_guards(helm4: Helm):
    values = merged(SECRETS, {"scaling": {"guard": {"enabled": True}}})
    places = [("demo", "work"), ("demo", "other"), ("heavylift-work", "other"), ("heavylift", "work-other")]
    renders = [parse(helm4.template(values, release=release, namespace=namespace)) for release, namespace in places]
    names = [guard.name for render in renders for guard in render.of(ValidatingAdmissionPolicy)]
    assert len(set(names)) == len(places)


def test_a_worker_that_drains_is_seen_to_within_three_seconds(helm4: Helm):
    probe = _render(helm4).run(VIDEO).spec.containers[0].readiness_probe
    assert probe
    assert probe.period_seconds == 2
    assert probe.failure_threshold == 1


def test_what_is_said_of_scaling_restarts_no_pod(helm4: Helm):
    before = _render(helm4)
    limits = {
        "min": 2,
        "max": 20,
        "targetWaitSeconds": 5,
        "windows": [{"cron": "0 8 * * *", "duration": "1h", "min": 3}],
    }
    after = _render(helm4, {"scaling": {"manualHold": "1h"}, "workers": {"defaults": {"autoscaling": limits}}})
    assert _told(after) != _told(before)
    assert after.of(Deployment) == before.of(Deployment)


def test_the_file_is_for_eyes_too(helm4: Helm):
    text = _render(helm4).get(ConfigMap, POOLS).data["pools.json"].strip()
    assert text == json.dumps(json.loads(text), indent=2, sort_keys=True)


def _render(helm: Helm, values: dict[str, Any] | None = None) -> Release:
    return parse(helm.template(merged(SECRETS, values or {})))


def _told(release: Release) -> dict[str, Pool]:
    """Return the pools as the controller reads them: it refuses what it does not know."""
    (config,) = [one for one in release.of(ConfigMap) if "pools.json" in one.data]
    return dict(parse_pools(config.data["pools.json"].encode()))


def _environment(run: Run) -> dict[str, str]:
    return {variable.name: variable.value or "" for variable in run.spec.containers[0].env}


def _rights(release: Release) -> set[Right]:
    return {right for role in release.of(Role) for rule in role.rules for right in _each(rule)}


def _each(rule: Rule) -> set[Right]:
    return {(group, resource, verb) for group in rule.api_groups for resource in rule.resources for verb in rule.verbs}


def _rows() -> list[list[str]]:
    """Return the table of rights in the controller's package: what its code asks of the API server, and what for."""
    assert cluster.__doc__
    lines = [line for line in cluster.__doc__.splitlines() if line.startswith("| ")][1:]
    assert lines
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]


def _needed() -> set[Right]:
    return {
        (group.replace("(core)", ""), what, verb) for group, what, verbs, _ in _rows() for verb in verbs.split(", ")
    }


def _with_guard() -> set[Right]:
    return {(group, what, verb) for group, what, verbs, why in _rows() if "guard" in why for verb in verbs.split(", ")}


def _guards(release: Release) -> list[object]:
    return [*release.of(ValidatingAdmissionPolicy), *release.of(ValidatingAdmissionPolicyBinding)]
