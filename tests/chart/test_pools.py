"""Pools: the defaults and what a pool says over them, and that the chart never says how many pods there are."""

import json
from typing import Any

import pytest

from tests.chart.helm import Helm
from tests.chart.knobs import default, other
from tests.chart.kube import (
    ConfigMap,
    Deployment,
    HorizontalPodAutoscaler,
    PodDisruptionBudget,
    ScaledObject,
    TriggerAuthentication,
)
from tests.chart.release import POOL, Release, parse
from tests.chart.values import SECRETS, Path, at, leaves, merged

ENGINES = ("builtin", "none", "hpa", "keda")

DEFAULTS: Path = ("workers", "defaults")
SOLO: Path = ("workers", "pools", "solo")

BRAIN = {"scaling": {"engine": "keda"}}
SIMPLE = merged(BRAIN, at((*DEFAULTS, "autoscaling", "keda", "mode"), "simple"))
SIMPLE_IMAGES: Path = ("workers", "pools", "images", "autoscaling", "keda", "mode")
PAUSED_SCALE_IN = "autoscaling.keda.sh/paused-scale-in"

# One pool that says nothing but its name.
BARE = {"workers": {"defaults": {"queues": ["solo"]}, "pools": {"video": None, "solo": {}}}}

OPTIONS = [path[len(DEFAULTS) :] for path in leaves(default(DEFAULTS), DEFAULTS)]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("more", [{}, {"autoscaling": {"min": 1, "max": 1}}, {"autoscaling": {"min": 3}}])
def test_no_engine_and_no_value_makes_the_chart_say_how_many_pods_a_pool_has(
    helm: Helm, engine: str, more: dict[str, Any]
):
    values = merged(SECRETS, {"scaling": {"engine": engine}}, at(("workers", "defaults"), more))
    for pool in _pools(parse(helm.template(values))):
        assert "replicas" not in pool.spec.model_fields_set, pool.id


def test_no_set_of_values_makes_the_chart_say_how_many_pods_a_pool_has(release: Release):
    for pool in _pools(release):
        assert "replicas" not in pool.spec.model_fields_set, pool.id


def test_there_is_no_value_for_the_number_of_a_pools_pods(helm: Helm):
    for path in (DEFAULTS, ("workers", "pools", "video")):
        assert "additional properties 'replicas' not allowed" in helm.refusal(
            merged(SECRETS, at((*path, "replicas"), 2))
        )


@pytest.mark.parametrize(("engine", "kind"), [("hpa", HorizontalPodAutoscaler), ("keda", ScaledObject)])
def test_an_engine_scales_every_pool_and_another_none(helm4: Helm, engine: str, kind: type[Any]):
    values = {"workers": {"pools": {"images": {"queues": ["images"]}}}}
    for chosen in ENGINES:
        release = parse(helm4.template(merged(SECRETS, values, {"scaling": {"engine": chosen}})))
        targets = {scaler.spec.scale_target_ref.name for scaler in release.of(kind)}
        assert targets == ({pool.name for pool in _pools(release)} if chosen == engine else set())


def test_an_engine_raises_a_pool_to_its_least_number(helm4: Helm):
    limits = {"workers": {"pools": {"video": {"autoscaling": {"min": 3, "max": 7}}}}}
    by_cpu = parse(helm4.template(merged(SECRETS, limits, {"scaling": {"engine": "hpa"}})))
    by_queue = parse(helm4.template(merged(SECRETS, limits, SIMPLE)))
    (hpa,), (scaled,) = by_cpu.of(HorizontalPodAutoscaler), by_queue.of(ScaledObject)
    assert (hpa.spec.min_replicas, hpa.spec.max_replicas) == (3, 7)
    assert (scaled.spec.min_replica_count, scaled.spec.max_replica_count) == (3, 7)


def test_keda_looks_at_every_queue_of_a_pool_under_its_key(helm4: Helm):
    pool = {"queues": ["images", "thumbnails"], "concurrency": 4}
    values = {"keyPrefix": "mine:", "workers": {"pools": {"images": pool}}}
    release = parse(helm4.template(merged(SECRETS, SIMPLE, values)))
    triggers = release.get(ScaledObject, "demo-heavylift-worker-images").spec.triggers
    assert [one.metadata["listName"] for one in triggers] == ["mine:images", "mine:thumbnails"]
    assert {one.metadata["listLength"] for one in triggers} == {"4"}
    assert {one.metadata["address"] for one in triggers} == {"demo-heavylift-redis.work.svc:6379"}


def test_keda_asks_the_controller_for_a_pools_number(helm4: Helm):
    (scaled,) = parse(helm4.template(merged(SECRETS, BRAIN))).of(ScaledObject)
    (trigger,) = scaled.spec.triggers
    assert trigger.type == "external-push"
    assert trigger.metadata == {"scalerAddress": "demo-heavylift-controller.work.svc:9091", "pool": "video"}
    assert trigger.authentication_ref is None


def test_keda_only_adds_pods_where_the_controller_takes_them_away(helm4: Helm):
    mine = {"annotations": {"example.com/owner": "films", PAUSED_SCALE_IN: "false"}, "behavior": {"scaleDown": {}}}
    values = merged(BRAIN, at((*DEFAULTS, "autoscaling"), {"min": 2, "keda": mine}))
    (scaled,) = parse(helm4.template(merged(SECRETS, values))).of(ScaledObject)
    assert scaled.metadata.annotations == {"example.com/owner": "films", PAUSED_SCALE_IN: "true"}
    assert scaled.spec.min_replica_count == 0
    assert scaled.spec.fallback
    assert scaled.spec.fallback.behavior == "currentReplicasIfHigher"
    assert scaled.spec.advanced
    assert scaled.spec.advanced.horizontal_pod_autoscaler_config
    behavior = scaled.spec.advanced.horizontal_pod_autoscaler_config.behavior
    assert behavior
    assert behavior.scale_down
    assert behavior.scale_down.select_policy == "Disabled"
    assert behavior.scale_up
    assert behavior.scale_up.stabilization_window_seconds == 0


def test_kedas_trigger_and_its_password_are_for_the_simple_mode_alone(helm4: Helm):
    brain = parse(helm4.template(merged(SECRETS, BRAIN)))
    assert brain.of(TriggerAuthentication) == []
    mixed = merged(BRAIN, {"workers": {"pools": {"images": {"queues": ["images"]}}}}, at(SIMPLE_IMAGES, "simple"))
    release = parse(helm4.template(merged(SECRETS, mixed)))
    kinds = {scaled.name: [one.type for one in scaled.spec.triggers] for scaled in release.of(ScaledObject)}
    assert kinds == {"demo-heavylift-worker-images": ["redis"], "demo-heavylift-worker-video": ["external-push"]}
    assert len(release.of(TriggerAuthentication)) == 1


def test_the_controller_only_looks_on_where_keda_decides(helm4: Helm):
    mixed = merged(BRAIN, {"workers": {"pools": {"images": {"queues": ["images"]}}}}, at(SIMPLE_IMAGES, "simple"))
    release = parse(helm4.template(merged(SECRETS, mixed)))
    pools = json.loads(release.get(ConfigMap, "demo-heavylift-pools").data["pools.json"])["pools"]
    assert {name: pool["shadow"] for name, pool in pools.items()} == {"images": True, "video": False}


def test_in_shadow_keda_is_asked_for_nothing(helm4: Helm):
    release = parse(helm4.template(merged(SECRETS, BRAIN, {"scaling": {"shadow": True}})))
    assert release.of(ScaledObject) == []


def test_keda_takes_no_pods_away_before_their_grace_is_over(release: Release):
    for scaled in release.of(ScaledObject):
        grace = release.run(scaled.spec.scale_target_ref.name).spec.termination_grace_period_seconds
        assert scaled.spec.cooldown_period is not None, scaled.id
        assert grace is not None, scaled.id
        assert scaled.spec.cooldown_period > grace, scaled.id


def test_a_pool_that_is_off_or_null_is_not_there(helm4: Helm):
    pools = {"video": None, "images": {"queues": ["images"], "enabled": False}, "scrape": {"queues": ["scrape"]}}
    release = parse(helm4.template(merged(SECRETS, {"workers": {"pools": pools}})))
    assert [pool.metadata.labels[POOL] for pool in _pools(release)] == ["scrape"]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_pool_says_everything_as_the_defaults_do(helm4: Helm, engine: str):
    others = [(option, other((*DEFAULTS, *option))) for option in OPTIONS if option != ("enabled",)]
    by_default = _bare(engine, *(at((*DEFAULTS, *option), value) for option, value in others))
    by_pool = _bare(engine, *(at((*SOLO, *option), value) for option, value in others))
    assert helm4.template(by_pool) == helm4.template(by_default)
    assert helm4.template(by_pool) != helm4.template(_bare(engine))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_pool_goes_back_from_everything_the_defaults_say(helm4: Helm, engine: str):
    # Nothing, zero and false are values, too: they must not be taken for "not said". A map only ever gains keys.
    options = [option for option in OPTIONS if default((*DEFAULTS, *option)) != {} and option != ("queues",)]
    others = [at((*DEFAULTS, *option), other((*DEFAULTS, *option))) for option in options]
    back = [at((*SOLO, *option), default((*DEFAULTS, *option))) for option in options]
    assert helm4.template(_bare(engine, *others, *back)) == helm4.template(_bare(engine))


def test_a_disruption_budget_allows_what_is_not_ready_to_go(release: Release):
    # A pod that drains is not ready: without this it would hold up the drain of its node.
    for budget in release.of(PodDisruptionBudget):
        assert budget.spec.unhealthy_pod_eviction_policy == "AlwaysAllow", budget.id
        assert (budget.spec.max_unavailable is None) != (budget.spec.min_available is None), budget.id


def test_a_pool_whose_pods_are_replaced_at_once_says_nothing_of_how_many_at_a_time(helm4: Helm):
    # Kubernetes refuses the one beside the other; the defaults bring it.
    for pool in _pools(parse(helm4.template(_bare("none", at((*SOLO, "strategy"), {"type": "Recreate"}))))):
        assert pool.spec.strategy
        assert pool.spec.strategy.rolling_update is None


@pytest.mark.parametrize(
    ("pdb", "allowed"),
    [
        ({"minAvailable": 0}, (None, 0)),
        ({"minAvailable": "50%"}, (None, "50%")),
        ({"maxUnavailable": 0}, (0, None)),
        ({"maxUnavailable": None}, (1, None)),
    ],
)
def test_a_disruption_budget_is_what_was_said(helm4: Helm, pdb: dict[str, Any], allowed: tuple[object, object]):
    several_nodes = {"artifacts": {"pvc": {"accessModes": ["ReadWriteMany"]}}, "api": {"pdb": pdb}}
    release = parse(helm4.template(_bare("none", several_nodes, at((*SOLO, "pdb"), pdb))))
    for name in ("demo-heavylift-api", "demo-heavylift-worker-solo"):
        budget = release.get(PodDisruptionBudget, name)
        assert (budget.spec.max_unavailable, budget.spec.min_available) == allowed


def _bare(engine: str, *more: dict[str, Any]) -> dict[str, Any]:
    return merged(SECRETS, BARE, {"scaling": {"engine": engine}}, *more)


def _pools(release: Release) -> list[Deployment]:
    pools = [run.owner for run in release.of_component("worker")]
    return [pool for pool in pools if isinstance(pool, Deployment)]
