"""The environment the chart gives each service is one that the service reads, and starts with."""

import os

import pytest
from pydantic_settings import BaseSettings

from heavylift.settings import Settings, load
from heavylift_api.settings import ApiSettings
from heavylift_controller.settings import ControllerSettings
from heavylift_flower.settings import FlowerSettings
from heavylift_worker.settings import WorkerSettings
from heavylift_worker.smoke import SmokeSettings
from tests.chart.helm import Helm
from tests.chart.release import Release, Run, parse
from tests.chart.values import SECRETS, merged

PREFIX = "HEAVYLIFT_"

SERVICES: dict[str, type[BaseSettings]] = {
    "api": ApiSettings,
    "controller": ControllerSettings,
    "flower": FlowerSettings,
    "test": SmokeSettings,
    "worker": WorkerSettings,
}

# What the cluster fills in.
FILLED_IN = {"HEAVYLIFT_WORKER_NAME": "worker-0", "HEAVYLIFT_REDIS_URL": "rediss://redis.example:25061/0"}


@pytest.fixture(autouse=True)
def nothing_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)


def test_a_service_reads_every_variable_it_is_given(release: Release):
    for run in _ours(release):
        known = {PREFIX + field.upper() for field in SERVICES[run.component].model_fields}
        assert {name for name in _environment(run) if name.startswith(PREFIX)} <= known, run.id


def test_a_service_starts_with_what_it_is_given(release: Release, monkeypatch: pytest.MonkeyPatch):
    for run in _ours(release):
        with monkeypatch.context() as patch:
            for name, value in _environment(run).items():
                patch.setenv(name, value)
            load(SERVICES[run.component])


def test_services_agree_on_redis_and_on_who_they_are(release: Release, monkeypatch: pytest.MonkeyPatch):
    shared = {PREFIX + field.upper() for field in Settings.model_fields} - {"HEAVYLIFT_ARTIFACTS_URL"}
    environments = [_environment(run) for run in _ours(release) if run.is_served]
    assert len({frozenset((name, one.get(name)) for name in shared) for one in environments}) == 1


def test_files_lie_where_api_workers_and_controllers_all_look(release: Release):
    runs = [run for run in _ours(release) if run.component in ("api", "controller", "worker")]
    (url,) = {_environment(run)["HEAVYLIFT_ARTIFACTS_URL"] for run in runs}
    folder = url.removeprefix("file://")
    for run in runs:
        mounts = {mount.mount_path: mount for mount in run.spec.containers[0].volume_mounts}
        assert url.startswith("s3://") or not mounts[folder].read_only, run.id


def test_the_smoke_test_says_why_before_it_is_killed(helm4: Helm):
    (test,) = parse(helm4.template(merged(SECRETS, {"test": {"timeoutSeconds": 900}}))).of_component("test")
    assert _environment(test)["HEAVYLIFT_SMOKE_TIMEOUT"] == "900s"
    assert test.spec.active_deadline_seconds
    assert test.spec.active_deadline_seconds > 900


def test_an_installation_is_claimed_as_namespace_and_release(helm4: Helm):
    for run in _ours(parse(helm4.template(SECRETS))):
        assert run.component == "test" or _environment(run)["HEAVYLIFT_INSTALLATION"] == "work/demo"
    for run in _ours(parse(helm4.template(merged(SECRETS, {"installation": None})))):
        assert "HEAVYLIFT_INSTALLATION" not in _environment(run)


def test_what_a_user_sets_goes_before_what_the_chart_sets(helm4: Helm):
    mine = {"env": {"HEAVYLIFT_LOG_LEVEL": "warning", "HEAVYLIFT_PRELOAD": True, "RATE": 1000000}}
    values = {"api": mine, "controller": mine, "flower": mine, "workers": {"defaults": mine}}
    for run in _ours(parse(helm4.template(merged(SECRETS, values)))):
        if run.is_served:
            environment = _environment(run)
            assert environment["HEAVYLIFT_LOG_LEVEL"] == "warning"
            assert environment["HEAVYLIFT_PRELOAD"] == "true"
            assert environment["RATE"] == "1000000"


@pytest.mark.parametrize(
    ("external", "url"),
    [
        ({"host": "redis.example"}, "redis://redis.example:6379/0"),
        ({"host": "redis.example", "port": 6380, "database": 3}, "redis://redis.example:6380/3"),
        ({"host": "redis.example", "username": "a@b c/d"}, "redis://a%40b%20c%2Fd@redis.example:6379/0"),
        ({"host": "redis.example", "tls": {"enabled": True}}, "rediss://redis.example:6379/0"),
        ({"host": "2001:db8::1"}, "redis://[2001:db8::1]:6379/0"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_address_of_somebody_elses_redis(helm4: Helm, external: dict, url: str):
    values = merged(SECRETS, {"redis": {"enabled": False, "auth": {}}, "externalRedis": external})
    for run in _ours(parse(helm4.template(values))):
        if run.is_served:
            assert _environment(run)["HEAVYLIFT_REDIS_URL"] == url
            load(Settings, redis_url=url)


def _ours(release: Release) -> list[Run]:
    return [run for run in release.runs() if run.component in SERVICES]


def _environment(run: Run) -> dict[str, str]:
    variables = run.spec.containers[0].env
    return {
        variable.name: FILLED_IN.get(variable.name, "filled-in") if variable.value is None else variable.value
        for variable in variables
    }
