"""Fixtures of the chart's tests: the two Helms, and every set of values the chart is rendered with."""

import os
from pathlib import Path

import pytest

from tests.chart.helm import CHART, Helm, installed
from tests.chart.release import Release, parse

HELMS = {"helm4": ("HELM", "helm", 4), "helm3": ("HELM3", "helm3", 3)}

VALUES = sorted((CHART / "ci").glob("*-values.yaml"))


@pytest.fixture(params=HELMS)
def helm(request: pytest.FixtureRequest) -> Helm:
    """Each of the two Helms in turn, for what Helm itself does: refusing, linting, printing notes."""
    return _needed(request.param)


@pytest.fixture
def helm4() -> Helm:
    """The Helm for looking at what was rendered: that both render the same is a test of its own."""
    return _needed("helm4")


@pytest.fixture
def helm3() -> Helm:
    """The older Helm, for comparing."""
    return _needed("helm3")


@pytest.fixture(params=VALUES, ids=lambda path: path.name.removesuffix("-values.yaml"))
def values(request: pytest.FixtureRequest) -> Path:
    """Each set of values of `ci/` in turn."""
    return request.param


@pytest.fixture
def release(helm4: Helm, values: Path) -> Release:
    """The chart rendered with each set of values in turn."""
    return parse(helm4.template(values))


def _needed(name: str) -> Helm:
    variable, default, major = HELMS[name]
    helm = installed(os.environ.get(variable, default), major)
    if helm is None and os.environ.get("HEAVYLIFT_CHART_TESTS") == "required":
        pytest.fail(f"no Helm {major}: put it on PATH as {default}, or name it in ${variable}")
    if helm is None:
        pytest.skip("chart tests need Helm 4 (`helm` or $HELM) and Helm 3 (`helm3` or $HELM3)")
    return helm
