"""An upgrade of an existing release: nothing immutable changes, and only that restarts which has to."""

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.helm import CHART, Helm, RefusedError
from tests.chart.immutable import fields
from tests.chart.kube import ConfigMap, Deployment, NetworkPolicy, Role, RoleBinding, Service
from tests.chart.last_release import DEFAULTS as LAST_DEFAULTS
from tests.chart.last_release import FIELDS, VALUES
from tests.chart.release import Release, parse
from tests.chart.values import DEFAULTS, SECRETS, merged, read

LAST = sorted(FIELDS.glob("*.yaml"))

S3 = {"type": "s3", "s3": {"bucket": "films", "accessKeyId": "one", "secretAccessKey": "one"}}
EXTERNAL = {"redis": {"enabled": False}, "externalRedis": {"host": "redis.example", "auth": {"password": "one"}}}

OURS = {"api", "controller", "flower", "worker"}


@pytest.mark.parametrize("last", LAST, ids=lambda path: path.stem)
def test_values_of_the_last_release_change_nothing_immutable(helm4: Helm, last: Path):
    before = yaml.safe_load(last.read_text())
    now = fields(parse(helm4.template(VALUES / last.name)))
    assert {name: now.get(name) for name in before} == before


def test_the_last_release_is_known_with_every_kind_of_values():
    assert LAST
    assert [path.name for path in sorted(VALUES.glob("*.yaml"))] == [path.name for path in LAST]


@pytest.fixture
def reused(tmp_path: Path) -> Path:
    """The chart as `helm upgrade --reuse-values` renders it: over the last release's values.yaml."""
    chart = tmp_path / "heavylift"
    shutil.copytree(CHART, chart)
    shutil.copy(LAST_DEFAULTS, chart / "values.yaml")
    return chart


@pytest.mark.parametrize("last", LAST, ids=lambda path: path.stem)
def test_values_reused_from_the_last_release_change_nothing_immutable(helm4: Helm, last: Path, reused: Path):
    before = yaml.safe_load(last.read_text())
    now = fields(parse(helm4.template(VALUES / last.name, chart=reused)))
    assert {name: now.get(name) for name in before} == before


@pytest.mark.parametrize("engine", ["builtin", "none", "hpa", "keda"])
def test_what_reused_values_lack_is_as_by_default(helm4: Helm, engine: str, reused: Path):
    values = merged(SECRETS, {"scaling": {"engine": engine}})
    now, by_default = parse(helm4.template(values, chart=reused)), parse(helm4.template(values))
    assert [one.id for one in now.objects] == [one.id for one in by_default.objects]
    for kind in (NetworkPolicy, Role):
        assert now.of(kind) == by_default.of(kind)
    assert _pools(now) == _pools(by_default)


def test_the_default_that_changed_since_the_last_release_is_told_with_the_way_back():
    told = (CHART / "UPGRADING.md").read_text().partition("\n## 0.1.0\n")[0]
    assert f"`scaling.engine` is `{DEFAULTS['scaling']['engine']}` by default; it was `none`." in told
    assert "scaling:\n  engine: none\n" in told


def test_an_upgrade_renders_what_an_install_does(helm: Helm, values: Path):
    assert helm.template(values, options=("--is-upgrade",)) == helm.template(values)


def test_another_engine_changes_no_pool_and_nothing_immutable(helm4: Helm, values: Path):
    renders = list(_with_each_engine(helm4, read(values)))
    assert len(renders) > 1
    deployments, immutable = _but_the_controllers(renders[0])
    for other in renders[1:]:
        assert _but_the_controllers(other) == (deployments, immutable)


def test_another_version_of_the_chart_restarts_nothing(helm4: Helm, values: Path, tmp_path: Path):
    chart = tmp_path / "heavylift"
    shutil.copytree(CHART, chart)
    described = (chart / "Chart.yaml").read_text()
    (chart / "Chart.yaml").write_text(described.replace("\nversion: ", "\nversion: 9"))
    before, after = parse(helm4.template(values)), parse(helm4.template(values, chart=chart))
    assert after.objects != before.objects
    assert _templates(after) == _templates(before)
    assert fields(after) == fields(before)


@pytest.mark.parametrize(
    ("base", "change", "restarted"),
    [
        ({}, {"redis": {"config": "maxclients 5000"}}, {"redis"}),
        ({}, {"redis": {"maxmemory": "256mb"}}, {"redis"}),
        # Services read the password from its file for each new connection.
        ({}, {"redis": {"auth": {"password": "another"}}}, {"redis"}),
        (EXTERNAL, {"externalRedis": {"auth": {"password": "another"}}}, set()),
        ({}, {"api": {"apiKeys": {"key": "another"}}}, {"api"}),
        ({}, {"flower": {"auth": {"password": "another"}}}, {"flower"}),
        ({"artifacts": S3}, {"artifacts": {"s3": {"secretAccessKey": "two"}}}, {"api", "controller", "worker"}),
        ({}, {"log": {"level": "debug"}}, OURS),
        ({}, {"image": {"tag": "9.9.9"}}, OURS),
        ({}, {"workers": {"pools": {"video": {"grace": "10m"}}}}, {"worker"}),
        # The controller is told of queues that no worker has served yet.
        ({}, {"workers": {"pools": {"images": {"queues": ["images"]}}}}, {"controller"}),
        ({}, {"scaling": {"engine": "none"}}, {"controller"}),
        ({}, {"scaling": {"shadow": True, "guard": {"enabled": True}}}, set()),
        ({}, {"networkPolicy": {"enabled": False}}, set()),
        ({}, {"monitoring": {"podMonitor": {"enabled": True}, "dashboard": {"enabled": True}}}, set()),
        ({}, {"api": {"service": {"annotations": {"a": "b"}}, "pdb": {"enabled": False}, "replicas": 5}}, set()),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_a_change_restarts_what_it_concerns_and_nothing_else(
    helm4: Helm, base: dict[str, Any], change: dict[str, Any], restarted: set[str]
):
    before = parse(helm4.template(merged(SECRETS, base)))
    after = parse(helm4.template(merged(SECRETS, base, change)))
    now = _templates(after)
    assert {name.split("/")[0] for name, one in _templates(before).items() if now[name] != one} == restarted


def _templates(release: Release) -> dict[str, tuple[object, ...]]:
    """Return the pod templates of what stays running: a change of one restarts its pods."""
    return {
        f"{run.component}/{run.owner.name}": (run.labels, run.annotations, run.spec)
        for run in release.runs()
        if run.is_served
    }


def _pools(release: Release) -> list[object]:
    """Return what the controller is told of the pools."""
    return [one.data for one in release.of(ConfigMap) if "pools.json" in (one.data or {})]


def _but_the_controllers(release: Release) -> tuple[dict[str, Deployment], dict[str, dict[str, Any]]]:
    """Return the Deployments that scale nothing, and all that is immutable of objects that every engine has."""
    deployments = {one.name: one for one in release.of(Deployment) if not one.name.endswith("-controller")}
    scaling = [one.id for kind in (RoleBinding, Service) for one in release.of(kind) if "-controller" in one.name]
    return deployments, {name: one for name, one in fields(release).items() if name not in scaling}


def _with_each_engine(helm: Helm, values: dict[str, Any]) -> Iterator[Release]:
    """Yield a render for each engine that can do what these values want: not every one can begin with no pod."""
    for engine in ("builtin", "none", "hpa", "keda"):
        with suppress(RefusedError):
            yield parse(helm.template(merged(values, {"scaling": {"engine": engine}})))
