"""Fixtures of the chart's tests: the two Helms, and every set of values the chart is rendered with."""

import os
from pathlib import Path

import pytest

from tests.chart.helm import CHART, Helm, installed
from tests.chart.release import Release, parse

HELMS = {
    "helm4": installed(os.environ.get("HELM", "helm"), 4),
    "helm3": installed(os.environ.get("HELM3", "helm3"), 3),
}

VALUES = sorted((CHART / "ci").glob("*-values.yaml"))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs Helm where there is none: here and not in a fixture, so that the report has one line of it."""
    needed = {"helm", *HELMS} & set(getattr(item, "fixturenames", ()))
    if needed and None in HELMS.values():
        reason = "the chart's tests need Helm 4 (`helm` on PATH, or $HELM) and Helm 3 (`helm3`, or $HELM3)"
        if os.environ.get("HEAVYLIFT_CHART_TESTS") == "required":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)


@pytest.fixture(params=HELMS)
def helm(request: pytest.FixtureRequest) -> Helm:
    """Each of the two Helms in turn, for what Helm itself does: refusing, linting, printing notes."""
    return _helm(request.param)


@pytest.fixture
def helm4() -> Helm:
    """The Helm for looking at what was rendered: that both render the same is a test of its own."""
    return _helm("helm4")


@pytest.fixture
def helm3() -> Helm:
    """The older Helm, for comparing."""
    return _helm("helm3")


@pytest.fixture(params=VALUES, ids=lambda path: path.name.removesuffix("-values.yaml"))
def values(request: pytest.FixtureRequest) -> Path:
    """Each set of values of `ci/` in turn."""
    return request.param


@pytest.fixture
def release(helm4: Helm, values: Path) -> Release:
    """The chart rendered with each set of values in turn."""
    return parse(helm4.template(values))


def _helm(name: str) -> Helm:
    helm = HELMS[name]
    assert helm is not None
    return helm
