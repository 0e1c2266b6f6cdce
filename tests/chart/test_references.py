"""What one object says of another is true: selectors, ports, Secrets, claims, targets."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.helm import Helm
from tests.chart.kube import (
    ConfigMap,
    Container,
    Deployment,
    HorizontalPodAutoscaler,
    HTTPRoute,
    Ingress,
    Kube,
    PersistentVolumeClaim,
    PodDisruptionBudget,
    PodMonitor,
    Role,
    RoleBinding,
    ScaledObject,
    Secret,
    Service,
    ServiceAccount,
    ServiceMonitor,
    StatefulSet,
    TriggerAuthentication,
)
from tests.chart.kube.pods import Volume
from tests.chart.release import Release, Run, parse
from tests.chart.values import SECRETS, merged


def test_a_workload_selects_its_own_pods_and_no_others(release: Release):
    for workload in [*release.of(Deployment), *release.of(StatefulSet)]:
        selected = [run.id for run in release.runs() if workload.spec.selector.matches(run.labels)]
        assert selected == [workload.id]


def test_a_service_reaches_pods_of_one_workload_on_ports_they_have(release: Release):
    for service in release.of(Service):
        (run,) = [run for run in release.runs() if service.spec.selector.items() <= run.labels.items()]
        for port in service.spec.ports:
            assert (port.target_port or port.port) in _ports(run), f"{service.id}: {port}"


def test_a_stateful_set_has_its_service(release: Release):
    for workload in release.of(StatefulSet):
        release.get(Service, workload.spec.service_name)


def test_a_pod_that_never_gets_ready_is_replaced_by_the_next_upgrade(release: Release):
    # In order, a StatefulSet waits for the broken pod first, and somebody has to delete it by hand. Immutable later on.
    for workload in release.of(StatefulSet):
        assert workload.spec.pod_management_policy == "Parallel", workload.id


def test_a_disruption_budget_is_for_the_pods_of_one_workload(release: Release):
    for budget in release.of(PodDisruptionBudget):
        (_run,) = [run for run in release.runs() if budget.spec.selector.matches(run.labels)]


def test_a_pod_has_at_most_one_disruption_budget(release: Release):
    # With two, every eviction is refused.
    for run in release.runs():
        budgets = [budget for budget in release.of(PodDisruptionBudget) if budget.spec.selector.matches(run.labels)]
        assert len(budgets) <= 1, run.id


def test_no_disruption_budget_holds_up_the_drain_of_a_node_that_pods_have_to_share(release: Release):
    # What is evicted first can start nowhere before all others have left the node, and the budget would not let them.
    budgets = release.of(PodDisruptionBudget)
    for run in release.runs():
        if run.spec.affinity and "podAffinity" in run.spec.affinity:
            assert not [budget.id for budget in budgets if budget.spec.selector.matches(run.labels)], run.id


@pytest.mark.parametrize(
    ("claim", "together"),
    [
        ({"accessModes": ["ReadWriteOnce"]}, {"api", "controller", "worker"}),
        ({"accessModes": ["ReadWriteMany"]}, set()),
        ({"sameNode": False}, set()),
    ],
)
def test_pods_share_a_node_where_one_node_alone_can_mount_their_volume(
    helm4: Helm, claim: dict[str, Any], together: set[str]
):
    release = parse(helm4.template(merged(SECRETS, {"artifacts": {"pvc": claim}})))
    assert {run.component for run in release.runs() if "podAffinity" in (run.spec.affinity or {})} == together


def test_what_scales_has_a_target_and_is_alone_with_it(release: Release):
    scalers = [*release.of(HorizontalPodAutoscaler), *release.of(ScaledObject)]
    targets = [(one.id, one.spec.scale_target_ref) for one in scalers]
    for scaler, target in targets:
        deployment = release.get(Deployment, target.name)
        assert target.kind == "Deployment", scaler
        assert deployment.spec.replicas is None, f"{scaler} and the chart both set the replicas of {deployment.id}"
    names = [target.name for _, target in targets]
    assert len(names) == len(set(names))


def test_a_trigger_has_its_authentication(release: Release):
    for scaled in release.of(ScaledObject):
        for trigger in scaled.spec.triggers:
            if trigger.authentication_ref:
                release.get(TriggerAuthentication, trigger.authentication_ref.name)


def test_a_route_leads_to_a_port_of_a_service(release: Release):
    for ingress in release.of(Ingress):
        for rule in ingress.spec.rules:
            for path in rule.http.paths:
                service = release.get(Service, path.backend.service.name)
                port = path.backend.service.port
                assert (port.name or port.number) in _service_ports(service), ingress.id
    for route in release.of(HTTPRoute):
        for backend in [backend for rule in route.spec.rules for backend in rule.backend_refs]:
            assert backend.port in _service_ports(release.get(Service, backend.name)), route.id


def test_a_monitor_finds_a_port(release: Release):
    for monitor in release.of(ServiceMonitor):
        services = [one for one in release.of(Service) if monitor.spec.selector.matches(one.metadata.labels)]
        assert services, monitor.id
        for endpoint in monitor.spec.endpoints:
            assert all(endpoint.port in _service_ports(service) for service in services), monitor.id
    for monitor in release.of(PodMonitor):
        runs = [run for run in release.runs() if monitor.spec.selector.matches(run.labels)]
        assert runs, monitor.id
        for endpoint in monitor.spec.pod_metrics_endpoints:
            assert all(endpoint.port in _ports(run) for run in runs), monitor.id


def test_nothing_is_scraped_twice(release: Release):
    for run in release.runs():
        by_pod = [monitor.id for monitor in release.of(PodMonitor) if monitor.spec.selector.matches(run.labels)]
        services = [one for one in release.of(Service) if one.spec.selector.items() <= run.labels.items()]
        by_service = [
            f"{monitor.id} by {service.id}"
            for monitor in release.of(ServiceMonitor)
            for service in services
            if monitor.spec.selector.matches(service.metadata.labels)
        ]
        assert len(by_pod + by_service) <= 1, run.id


def test_a_scrape_annotation_names_a_port(release: Release):
    for run in release.runs():
        if run.annotations.get("prometheus.io/scrape") == "true":
            assert int(run.annotations["prometheus.io/port"]) in _ports(run), run.id


def test_every_object_a_pod_names_is_there_or_named_in_the_values(release: Release, values: Path):
    named = set(_strings(yaml.safe_load(values.read_text()) or {}))
    for run in release.runs():
        for kind, name in _references(run):
            rendered = {one.name for one in release.of(kind)}
            assert name in rendered | named, f"{run.id}: {kind.__name__} {name!r} is neither rendered nor in {values}"


def test_every_key_a_pod_names_is_in_the_secret_or_config_map(release: Release):
    holders = {one.name: _keys(one) for kind in (Secret, ConfigMap) for one in release.of(kind)}
    for run in release.runs():
        for name, key in _keys_used(run):
            assert name not in holders or key in holders[name], f"{run.id}: {name} has no {key!r}"


def test_every_secret_and_config_map_is_for_somebody(release: Release):
    used = {name for run in release.runs() for kind, name in _references(run) if kind in (Secret, ConfigMap)}
    for authentication in release.of(TriggerAuthentication):
        targets = [*authentication.spec.secret_target_ref, *authentication.spec.config_map_target_ref]
        used |= {target.name for target in targets}
    for one in [*release.of(Secret), *release.of(ConfigMap)]:
        # Grafana's sidecar finds its dashboards by a label.
        assert one.name in used or "grafana_dashboard" in one.metadata.labels, one.id


def test_a_role_is_given_to_a_service_account_of_a_pod(release: Release):
    accounts = {run.spec.service_account_name for run in release.runs()}
    for binding in release.of(RoleBinding):
        release.get(Role, binding.role_ref.name)
        assert {subject.name for subject in binding.subjects} <= accounts, binding.id


def _ports(run: Run) -> set[str | int]:
    ports = [port for _, container in run.containers() for port in container.ports]
    return {port.container_port for port in ports} | {port.name for port in ports if port.name}


def _service_ports(service: Service) -> set[str | int]:
    return {port.port for port in service.spec.ports} | {port.name for port in service.spec.ports}


def _keys(one: Kube) -> set[str]:
    if isinstance(one, Secret):
        return {*one.data, *one.string_data}
    assert isinstance(one, ConfigMap)
    return {*one.data, *one.binary_data}


def _strings(values: object) -> Iterator[str]:
    if isinstance(values, str):
        yield values
    elif isinstance(values, dict | list):
        for value in values.values() if isinstance(values, dict) else values:
            yield from _strings(value)


def _references(run: Run) -> Iterator[tuple[type[Kube], str]]:
    """Yield every object of the namespace without which the pod would not start."""
    if run.spec.service_account_name not in (None, "default"):
        yield ServiceAccount, run.spec.service_account_name
    for secret in run.spec.image_pull_secrets:
        yield Secret, secret.name
    for volume in run.spec.volumes:
        yield from _sources(volume)
    for container in run.spec.all_containers():
        yield from _of_environment(container)


def _sources(volume: Volume) -> Iterator[tuple[type[Kube], str]]:
    if volume.secret:
        yield Secret, volume.secret.secret_name
    if volume.config_map:
        yield ConfigMap, volume.config_map.name
    if volume.persistent_volume_claim:
        yield PersistentVolumeClaim, volume.persistent_volume_claim.claim_name
    for source in volume.projected.sources if volume.projected else []:
        if source.secret:
            yield Secret, source.secret.name
        if source.config_map:
            yield ConfigMap, source.config_map.name


def _of_environment(container: Container) -> Iterator[tuple[type[Kube], str]]:
    for source in container.env_from:
        if source.secret_ref:
            yield Secret, source.secret_ref.name
        if source.config_map_ref:
            yield ConfigMap, source.config_map_ref.name
    for source in [variable.value_from for variable in container.env if variable.value_from]:
        if source.secret_key_ref:
            yield Secret, source.secret_key_ref.name
        if source.config_map_key_ref:
            yield ConfigMap, source.config_map_key_ref.name


def _keys_used(run: Run) -> Iterator[tuple[str, str]]:
    for container in run.spec.all_containers():
        for source in [variable.value_from for variable in container.env if variable.value_from]:
            for reference in (source.secret_key_ref, source.config_map_key_ref):
                if reference:
                    yield reference.name, reference.key
    for volume in run.spec.volumes:
        if volume.secret:
            yield from ((volume.secret.secret_name, item.key) for item in volume.secret.items)
        if volume.config_map:
            yield from ((volume.config_map.name, item.key) for item in volume.config_map.items)
        for source in volume.projected.sources if volume.projected else []:
            for part in (source.secret, source.config_map):
                yield from ((part.name, item.key) for item in part.items) if part else ()
