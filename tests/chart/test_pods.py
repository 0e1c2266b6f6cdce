"""What holds for every pod of every render: the restricted profile, resources, probes, an end, no token, no secret."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.chart.helm import Helm
from tests.chart.kube import ConfigMap, Container, Deployment, Secret
from tests.chart.kube.pods import Exec, HttpGet, Probe, TcpSocket
from tests.chart.quantities import as_bytes, as_seconds
from tests.chart.release import Release, Run, parse
from tests.chart.values import SECRETS, merged, read

# Volumes that Pod Security's restricted profile allows, as far as the chart knows them.
ALLOWED_VOLUMES = {
    "config_map",
    "csi",
    "downward_api",
    "empty_dir",
    "ephemeral",
    "persistent_volume_claim",
    "projected",
    "secret",
}
# Keys of Secrets whose values may be seen; KEDA reads them from nowhere else.
NO_SECRETS = {"tls", "username", "sentinelUsername"}

SECRET_WORDS = re.compile(r"PASSWORD|SECRET|TOKEN|_KEYS?$|AUTH|CREDENTIAL")


def test_every_container_runs_as_a_number_that_is_not_root(release: Release):
    for name, security in _securities(release):
        assert security["run_as_user"] > 0, name
        assert security["run_as_non_root"] is True, name


def test_every_container_is_confined(release: Release):
    for name, security in _securities(release):
        assert security["read_only_root_filesystem"] is True, name
        assert security["allow_privilege_escalation"] is False, name
        assert not security.get("privileged"), name
        assert security["capabilities"] == {"drop": ["ALL"]}, name
        assert security["seccomp_profile"] == {"type": "RuntimeDefault"}, name


def test_no_pod_shares_anything_with_its_node(release: Release):
    for run in release.runs():
        assert not run.spec.host_network, run.id
        assert not run.spec.host_pid, run.id
        assert not run.spec.host_ipc, run.id
        for volume in run.spec.volumes:
            assert volume.model_fields_set - {"name"} <= ALLOWED_VOLUMES, f"{run.id}: {volume}"


def test_no_pod_has_the_addresses_of_other_services_or_a_token_it_needs_not(release: Release):
    scaled = any("pools.json" in config.data for config in release.of(ConfigMap))
    for run in release.runs():
        needs = scaled and run.component == "controller"
        assert run.spec.automount_service_account_token is needs, run.id
        assert run.spec.enable_service_links is False, run.id
        assert run.spec.service_account_name, run.id


def test_every_container_says_what_it_needs_and_what_it_may_have(release: Release):
    for run in release.runs():
        for name, container in run.containers():
            resources = container.resources
            assert resources, name
            assert {"cpu", "memory"} <= resources.requests.keys(), name
            assert "memory" in resources.limits, name
            assert as_bytes(resources.requests["memory"]) <= as_bytes(resources.limits["memory"]), name


def test_a_container_is_restarted_later_than_it_is_taken_out_of_service(release: Release):
    for run in _staying(release):
        main = run.spec.containers[0]
        ready, alive = main.readiness_probe, main.liveness_probe
        assert ready, run.id
        assert alive, run.id
        assert _patience(alive) > _patience(ready), run.id


def test_whether_a_worker_or_controller_is_ready_is_not_whether_it_lives(release: Release):
    for run in [*release.of_component("worker"), *release.of_component("controller")]:
        main = run.spec.containers[0]
        assert main.readiness_probe, run.id
        assert main.liveness_probe, run.id
        assert main.readiness_probe.action != main.liveness_probe.action, run.id


def test_what_runs_beside_is_watched_and_takes_nothing_out_of_service(release: Release):
    for run in _staying(release):
        for beside in run.spec.containers[1:]:
            assert beside.liveness_probe, f"{run.id}/{beside.name}"
            assert not beside.readiness_probe, f"{run.id}/{beside.name}: its readiness is that of the whole pod"


def test_no_probe_starts_python(release: Release):
    for name, _container, probe in _probes(release):
        if isinstance(probe.action, Exec):
            assert not re.search(r"python|celery|heavylift", " ".join(probe.action.command)), name


def test_every_probe_asks_a_port_that_the_container_has(release: Release):
    for name, container, probe in _probes(release):
        if isinstance(probe.action, HttpGet | TcpSocket):
            ports = {port.name for port in container.ports} | {port.container_port for port in container.ports}
            assert probe.action.port in ports, f"{name}: {probe.action.port} is none of {ports}"


def test_every_pod_says_how_long_it_may_take_to_end(release: Release):
    for run in release.runs():
        assert run.spec.termination_grace_period_seconds is not None, run.id


def test_a_worker_may_take_longer_to_end_than_its_jobs(release: Release):
    for run in release.of_component("worker"):
        assert _grace(run) >= as_seconds(_env(run)["HEAVYLIFT_GRACE"]) + 5, run.id


def test_an_api_pod_may_take_longer_to_end_than_its_pause_and_its_requests(release: Release):
    for run in release.of_component("api"):
        assert _grace(run) > _pause(run.spec.containers[0]) + as_seconds(_env(run)["HEAVYLIFT_SHUTDOWN_GRACE"]), run.id


def test_an_api_pod_without_a_pause_has_no_hook(helm4: Helm):
    # Kubernetes refuses a sleep of 0 s before 1.33.
    release = parse(helm4.template(merged(SECRETS, {"api": {"preStopSleepSeconds": 0}})))
    for run in release.of_component("api"):
        assert not run.spec.containers[0].lifecycle


def test_what_ran_on_a_lost_node_starts_elsewhere_soon(release: Release, values: Path):
    # Kubernetes waits for five minutes unless told otherwise.
    seconds = read(values).get("nodeLossTolerationSeconds", 30)
    for run in _staying(release):
        told = {one.key: one.toleration_seconds for one in run.spec.tolerations if one.effect == "NoExecute"}
        expected = {f"node.kubernetes.io/{state}": seconds for state in ("not-ready", "unreachable")}
        assert told == ({} if seconds is None else expected), run.id


def test_a_spread_counts_the_pods_it_spreads(release: Release):
    for run in release.runs():
        for spread in run.spec.topology_spread_constraints:
            counted = {other.id for other in release.runs() if spread.label_selector.matches(other.labels)}
            assert counted == {run.id}


def test_a_rollout_of_the_api_takes_no_pod_before_another_is_ready(release: Release):
    for run in release.of_component("api"):
        assert isinstance(run.owner, Deployment)
        strategy = run.owner.spec.strategy
        assert strategy, run.id
        assert strategy.rolling_update, run.id
        assert strategy.rolling_update.max_unavailable == 0, run.id


def test_tmp_can_be_written_and_is_bounded(release: Release):
    for run in release.runs():
        if run.component == "redis":
            continue  # it writes to /data and /run/redis, and to nothing else
        volumes = {volume.name: volume for volume in run.spec.volumes}
        for name, container in run.containers():
            mounts = [mount for mount in container.volume_mounts if mount.mount_path == "/tmp"]
            assert [mount.read_only for mount in mounts] == [False], name
            volume = volumes[mounts[0].name]
            assert volume.ephemeral or (volume.empty_dir and volume.empty_dir.size_limit), name


def test_every_mount_has_its_volume_and_every_volume_its_mount(release: Release):
    for run in release.runs():
        volumes = {volume.name for volume in run.spec.volumes}
        volumes |= {
            claim.metadata.name for claim in getattr(getattr(run.owner, "spec", None), "volume_claim_templates", ())
        }
        mounted = {mount.name for _, container in run.containers() for mount in container.volume_mounts}
        assert mounted == volumes, run.id


def test_every_image_is_one_that_stays_what_it_is(release: Release):
    for run in release.runs():
        for name, container in run.containers():
            assert re.search(r"(:[\w][\w.-]*|@sha256:[0-9a-f]{64})$", container.image), f"{name}: {container.image}"
            assert not container.image.endswith(":latest"), name
            assert container.image_pull_policy, name


def test_no_secret_stands_outside_of_a_secret(release: Release):
    secrets = {value for secret in release.of(Secret) for key, value in secret.plain().items() if key not in NO_SECRETS}
    for one in release.objects:
        if not isinstance(one, Secret):
            shown = one.model_dump_json(by_alias=True)
            assert not [secret for secret in secrets if secret in shown], one.id


def test_no_variable_that_sounds_secret_holds_a_value(release: Release):
    for run in release.runs():
        for name, container in run.containers():
            for variable in container.env:
                if SECRET_WORDS.search(variable.name) and not variable.name.endswith("_FILE"):
                    assert not variable.value, f"{name}: {variable.name}"
    for config in release.of(ConfigMap):
        assert not [key for key in config.data if SECRET_WORDS.search(key)], config.id


def test_passwords_come_by_file(release: Release):
    for run in release.runs():
        for name, container in run.containers():
            folders = [mount.mount_path for mount in container.volume_mounts]
            for variable in container.env:
                if variable.name.endswith("_FILE"):
                    assert variable.value, f"{name}: {variable.name}"
                    assert any(variable.value.startswith(f"{folder}/") for folder in folders), f"{name}: {variable}"


def _staying(release: Release) -> list[Run]:
    """Return the pods that run for as long as the release does; that of `helm test` has its end."""
    return [run for run in release.runs() if run.is_served]


def _probes(release: Release) -> Iterator[tuple[str, Container, Probe]]:
    for run in release.runs():
        for name, container in run.containers():
            for probe in (container.startup_probe, container.readiness_probe, container.liveness_probe):
                if probe:
                    yield name, container, probe


def _patience(probe: Probe) -> int:
    """Return for how many seconds a container may fail before something is done about it."""
    return (probe.period_seconds or 10) * (probe.failure_threshold or 3)


def _securities(release: Release) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what holds for each container: its own settings over its pod's."""
    for run in release.runs():
        assert run.spec.security_context, run.id
        pod = run.spec.security_context.model_dump(exclude_unset=True)
        for name, container in run.containers():
            assert container.security_context, name
            yield name, pod | container.security_context.model_dump(exclude_unset=True)


def _env(run: Run) -> dict[str, str]:
    return {variable.name: variable.value or "" for variable in run.spec.containers[0].env}


def _grace(run: Run) -> int:
    assert run.spec.termination_grace_period_seconds is not None, run.id
    return run.spec.termination_grace_period_seconds


def _pause(container: Container) -> int:
    """Return how long the kubelet waits before SIGTERM, while load balancers forget the pod."""
    assert container.lifecycle, container.name
    assert container.lifecycle.pre_stop, container.name
    assert container.lifecycle.pre_stop.sleep, container.name
    return container.lifecycle.pre_stop.sleep.seconds
