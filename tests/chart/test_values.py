"""Values are a contract: every key of values.yaml does something, and templates read no key that is not in it."""

import re
from functools import cache
from typing import Any

import pytest

from tests.chart.helm import CHART, Helm
from tests.chart.knobs import default, other, outcome, shown, takes
from tests.chart.release import parse
from tests.chart.values import DEFAULTS, SECRETS, Path, at, leaves, merged, read

EPHEMERAL = {"tmp": {"type": "ephemeral"}}

# Many values have an effect beside others only: an Ingress has hosts where there is one. The set that showed the last
# effect is tried first, since neighbours need the same.
CONTEXTS: list[dict[str, Any]] = [
    dict(SECRETS),
    *(read(file) for file in sorted((CHART / "ci").glob("*-values.yaml"))),
    merged(
        SECRETS, {"api": EPHEMERAL, "controller": EPHEMERAL, "flower": EPHEMERAL}, {"workers": {"defaults": EPHEMERAL}}
    ),
    merged(SECRETS, {"workers": {"pools": {"video": {"queues": None}}}}),
]

# What templates call `values`: a part's own, or all of them.
PARTS = [(), ("api",), ("controller",), ("flower",), ("redis",), ("test",), ("workers", "defaults")]


@pytest.mark.timeout(300)  # the first one does what most others only look at
@pytest.mark.parametrize("path", list(leaves()), ids=".".join)
def test_every_value_changes_what_is_rendered(helm4: Helm, path: Path):
    if path in _shown(helm4):
        return
    turned = at(path, other(path))
    for place, context in enumerate(CONTEXTS):
        if outcome(helm4, context) != outcome(helm4, merged(context, turned)):
            CONTEXTS.insert(0, CONTEXTS.pop(place))
            return
    pytest.fail(f"{'.'.join(path)} has no effect with any values of ci/")


@pytest.mark.parametrize("engine", ["builtin", "none", "hpa", "keda"])
def test_a_large_number_is_rendered_as_a_number(helm: Helm, engine: str):
    # Helm reads numbers as floats, and prints a million as 1e+06, which Kubernetes takes for no integer.
    shorter = ("grace", "shutdownGrace", "preStopSleepSeconds")  # than the end they must leave time for
    million = [at(path, 1_000_000) for path in leaves() if takes(path, 1_000_000) and path[-1] not in shorter]
    assert len(million) > 50
    text = helm.template(merged(SECRETS, {"scaling": {"engine": engine}}, *million))
    assert "e+06" not in text
    assert parse(text)


def test_templates_read_no_value_that_is_not_in_values_yaml():
    for file, text in _templates():
        for path in re.findall(r"\.Values((?:\.\w+)+)", text):
            assert _is_known(tuple(path.split(".")[1:]), DEFAULTS), f"{file} reads .Values{path}"


def test_templates_read_no_value_of_a_part_that_no_part_has():
    for file, text in _templates():
        for path in re.findall(r"(?:\$c?|\.|\()\.?values((?:\.\w+)+)", text):
            keys = tuple(path.split(".")[1:])
            assert any(_is_known(keys, default(part)) for part in PARTS), f"{file} reads values{path}"
        for path in re.findall(r"\$pool((?:\.\w+)+)", text):
            keys = tuple(path.split(".")[1:])
            assert _is_known(keys, default(("workers", "defaults"))), f"{file} reads $pool{path}"


@cache
def _shown(helm: Helm) -> set[Path]:
    """Return the values that are seen in some render as they stand: for most of them, one render of all is enough."""
    return shown(helm, CONTEXTS)


def _templates() -> list[tuple[str, str]]:
    files = [path for path in (CHART / "templates").rglob("*") if path.is_file()]
    assert files
    return [(str(path.relative_to(CHART)), path.read_text()) for path in files]


def _is_known(path: Path, values: object) -> bool:
    """Whether values have this key; below a map that is free there may be anything."""
    if not path or not isinstance(values, dict) or not values:
        return True
    return path[0] in values and _is_known(path[1:], values[path[0]])
