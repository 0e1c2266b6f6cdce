"""values.schema.json: it knows what values.yaml knows, and refuses the rest with the key's name."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.chart.helm import Helm
from tests.chart.values import DEFAULTS, SECRETS, Path, at, merged, schema

UNKNOWN = "unheardOf"

# `global` is Helm's own: a parent chart's values, which every chart gets.
BEYOND_DEFAULTS = {("global",)}

POOL: Path = ("workers", "pools", "video")


def _maps(node: dict[str, Any], path: Path = ()) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield every map of the schema, of which each pool is one more."""
    if "properties" in node:
        yield path, node
        for key, below in node["properties"].items():
            yield from _maps(below, (*path, key))
    if path == POOL[:-1]:
        yield from _maps(node["additionalProperties"], POOL)


def _leaves() -> Iterator[tuple[Path, dict[str, Any]]]:
    for path, node in _maps(schema()):
        for key, below in node["properties"].items():
            if "properties" not in below and (*path, key) not in (*BEYOND_DEFAULTS, POOL[:-1]):
                yield (*path, key), below


MAPS = [path for path, _ in _maps(schema())]
LEAVES = dict(_leaves())
CHOICES = {path: node for path, node in LEAVES.items() if "enum" in node}


def _name(path: Path) -> str:
    return ".".join(path) or "the top"


def test_it_has_every_key_of_values_yaml():
    for path, node in _maps(schema()):
        if path[:3] != POOL:
            assert _default(path).keys() - node["properties"].keys() == set(), _name(path)


def test_it_has_no_key_that_values_yaml_has_not():
    # A setting of a service has its default in the service: values.yaml names it in a comment.
    for path, node in _maps(schema()):
        if path[:3] != POOL and path[-1:] != ("settings",):
            extra = {(*path, key) for key in node["properties"].keys() - _default(path).keys()}
            assert extra - BEYOND_DEFAULTS - _of_kubernetes() == set(), _name(path)


def test_a_pool_has_the_keys_of_the_defaults():
    maps = dict(_maps(schema()))
    for path, node in maps.items():
        if path[:2] == ("workers", "defaults"):
            assert node["properties"].keys() == maps[POOL + path[2:]]["properties"].keys(), _name(path)


def test_every_map_is_closed():
    for path, node in _maps(schema()):
        assert node["additionalProperties"] is False, _name(path)


def test_an_unknown_key_is_refused_by_name_wherever_it_stands(helm: Helm):
    refusal = helm.refusal(_everywhere({(*path, UNKNOWN): "sentinel" for path in MAPS}))
    complaints = [f"at '{_pointer(path)}': additional properties '{UNKNOWN}' not allowed" for path in MAPS]
    assert [complaint for complaint in complaints if complaint not in refusal] == []


def test_a_value_of_another_kind_is_refused_wherever_it_stands(helm: Helm):
    refusal = helm.refusal(_everywhere({path: _of_another_kind(node) for path, node in LEAVES.items()}))
    assert [_name(path) for path in LEAVES if f"at '{_pointer(path)}'" not in refusal] == []


def test_what_is_no_choice_is_refused_with_the_choices(helm: Helm):
    refusal = helm.refusal(_everywhere(dict.fromkeys(CHOICES, "sentinel")))
    for path, node in CHOICES.items():
        choices = ", ".join(f"'{one}'" for one in node["enum"] if one is not None)
        assert f"at '{_pointer(path)}': value must be one of {choices}" in refusal


def _autoscaling(settings: dict[str, Any]) -> dict[str, Any]:
    return at(("workers", "pools", "video", "autoscaling"), settings)


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"workers": {"pools": {"video": {"queues": ["Video"]}}}}, "'Video' does not match pattern"),
        ({"workers": {"pools": {"video": {"queues": ["a,b"]}}}}, "'a,b' does not match pattern"),
        ({"workers": {"pools": {"video": {"grace": "5 minutes"}}}}, "'5 minutes' does not match pattern"),
        ({"workers": {"pools": {"video": {"concurrency": 0}}}}, "'/workers/pools/video/concurrency': minimum: got 0"),
        ({"workers": {"pools": {"video": {"env": {"NAME": {"valuefrom": {}}}}}}}, "'/workers/pools/video/env/NAME'"),
        ({"api": {"image": {"digest": "sha256:abc"}}}, "'sha256:abc' does not match pattern"),
        ({"api": {"settings": {"queuebound": 5}}}, "'/api/settings': additional properties 'queuebound' not allowed"),
        ({"api": {"shutdownGrace": "soon"}}, "'soon' does not match pattern"),
        ({"api": {"service": {"port": 65536}}}, "'/api/service/port': maximum: got 65,536"),
        ({"api": {"httpRoute": {"path": "api"}}}, "'api' does not match pattern"),
        ({"artifacts": {"pvc": {"accessModes": []}}}, "'/artifacts/pvc/accessModes': minItems: got 0"),
        ({"commonLabels": {"app.kubernetes.io/instance": "other"}}, "app.kubernetes.io/instance"),
        ({"commonLabels": {"team": 7}}, "'/commonLabels/team': got number, want string"),
        ({"redis": {"persistence": {"size": "8 GB"}}}, "'8 GB' does not match pattern"),
        ({"installation": "two words"}, "'two words' does not match pattern"),
        ({"fullnameOverride": "My_Release"}, "'My_Release' does not match pattern"),
        ({"nameOverride": "My_Chart"}, "'My_Chart' does not match pattern"),
        ({"redis": {"maxmemoryPercent": 100}}, "'/redis/maxmemoryPercent': maximum: got 100"),
        (_autoscaling({"targetWaitSeconds": 0}), "exclusiveMinimum: got 0, want 0"),
        (_autoscaling({"queues": {"video": {"targetWaitSeconds": -1}}}), "exclusiveMinimum: got -1, want 0"),
        (_autoscaling({"queues": {"video": {"weight": 1}}}), "additional properties 'weight' not allowed"),
        (_autoscaling({"queues": {"Video": {}}}), "'Video' does not match pattern"),
        (_autoscaling({"windows": [{"duration": "1h", "min": 1}]}), "missing property 'cron'"),
        (_autoscaling({"windows": [{"cron": "8 o'clock", "duration": "1h", "min": 1}]}), "does not match pattern"),
        (_autoscaling({"windows": [{"cron": "0 8 * * *", "min": 1}]}), "missing property 'duration'"),
        ({"scaling": {"manualHold": "a while"}}, "'a while' does not match pattern"),
        ({"scaling": {"engine": "magic"}}, "value must be one of 'builtin', 'keda', 'hpa', 'none'"),
        ({"redis": {"probes": {"liveness": {"path": "/"}}}}, "additional properties 'path' not allowed"),
    ],
    ids=str,
)
def test_a_value_that_cannot_work_is_refused(helm: Helm, values: dict[str, Any], complaint: str):
    refusal = helm.refusal(merged(SECRETS, values))
    assert "values don't meet the specifications of the schema" in refusal
    assert complaint in refusal


def test_a_parent_charts_global_values_are_taken(helm: Helm):
    helm.template(merged(SECRETS, {"global": {"imageRegistry": "registry.example"}}))


def _everywhere(mistakes: dict[Path, Any]) -> dict[str, Any]:
    """Return values with all of these mistakes: Helm names them all, and rendering once for each would take minutes."""
    return merged(SECRETS, *(at(path, mistake) for path, mistake in mistakes.items()))


def _of_another_kind(node: dict[str, Any]) -> object:
    kinds = node.get("type", [])
    examples = {"object": {"sentinel": "sentinel"}, "array": ["sentinel"], "boolean": True}
    return next(example for kind, example in examples.items() if kind not in kinds)


def _default(path: Path) -> dict[str, Any]:
    values = DEFAULTS
    for key in path:
        values = values[key]
    return values


def _of_kubernetes() -> set[Path]:
    """Return the fields of Kubernetes' own types that may be given but need not."""
    optional = {
        "claims",
        "initialDelaySeconds",
        "successThreshold",
        "terminationGracePeriodSeconds",
    }
    kinds = {"resources", "startup", "readiness", "liveness"}
    return {(*path, key) for path in MAPS if path and path[-1] in kinds for key in optional}


def _pointer(path: Path) -> str:
    return "".join(f"/{key}" for key in path)
