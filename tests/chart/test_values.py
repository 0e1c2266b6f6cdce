"""Values are a contract: every key of values.yaml does something, and templates read no key that is not in it."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from jsonschema import Draft7Validator

from tests.chart.helm import CHART, Helm, RefusedError
from tests.chart.values import DEFAULTS, SECRETS, Path, at, leaves, merged, read, schema

# Tried in turn until one lets a value be something else than its default.
OTHERS: tuple[Any, ...] = (
    True,
    False,
    777,
    77,
    "7Gi",
    "77s",
    "/sentinel",
    "sentinel",
    "sha256:" + "7" * 64,
    ["ReadWriteOncePod"],
    ["sentinel"],
    [777],
    [{"name": "sentinel"}],
    {"sentinel": "sentinel"},
    {"requests": {"cpu": "777m"}},
    {"path": "/sentinel"},
    {"failureThreshold": 777},
)

# Where a value has an effect that has none in any of ci/.
CONTEXTS: dict[str, dict[str, Any]] = {
    "api.tmp": {"api": {"tmp": {"type": "ephemeral"}}},
    "controller.tmp": {"controller": {"tmp": {"type": "ephemeral"}}},
    "flower.tmp": {"flower": {"tmp": {"type": "ephemeral"}}},
    "workers.defaults.tmp": {"workers": {"defaults": {"tmp": {"type": "ephemeral"}}}},
    "workers.defaults.queues": {"workers": {"pools": {"video": {"queues": None}}}},
}

# What templates call `values`: a part's own, or all of them.
PARTS = [(), ("api",), ("controller",), ("flower",), ("redis",), ("test",), ("workers", "defaults")]


@pytest.mark.parametrize("path", list(leaves()), ids=".".join)
def test_every_value_changes_what_is_rendered(helm4: Helm, path: Path):
    other = _other(path)
    assert any(_outcome(helm4, context) != _outcome(helm4, context, path, other) for context in _contexts(path))


def test_templates_read_no_value_that_is_not_in_values_yaml():
    for file, text in _templates():
        for path in re.findall(r"\.Values((?:\.\w+)+)", text):
            assert _is_known(tuple(path.split(".")[1:]), DEFAULTS), f"{file} reads .Values{path}"


def test_templates_read_no_value_of_a_part_that_no_part_has():
    for file, text in _templates():
        for path in re.findall(r"(?:\$c?|\.|\()\.?values((?:\.\w+)+)", text):
            keys = tuple(path.split(".")[1:])
            assert any(_is_known(keys, _at(part)) for part in PARTS), f"{file} reads values{path}"
        for path in re.findall(r"\$pool((?:\.\w+)+)", text):
            keys = tuple(path.split(".")[1:])
            assert _is_known(keys, _at(("workers", "defaults"))), f"{file} reads $pool{path}"


def _contexts(path: Path) -> Iterator[dict[str, Any]]:
    """Yield sets of values until one shows the effect."""
    for name, context in CONTEXTS.items():
        if ".".join(path).startswith(name):
            yield merged(SECRETS, context)
    yield dict(SECRETS)
    for file in sorted((CHART / "ci").glob("*-values.yaml")):
        yield read(file)


def _outcome(helm: Helm, context: dict[str, Any], path: Path = (), other: object = None) -> str:
    """Return the objects, or the sentence with which they are refused: that is an effect, too."""
    try:
        return helm.template(merged(context, at(path, other)) if path else context)
    except RefusedError as refused:
        sentence = str(refused)
    assert "specifications of the schema" not in sentence
    return sentence


def _other(path: Path) -> object:
    """Return a value that is not the default and that the schema takes."""
    node, default = _schema(path), _at(path)
    named = [{name: 777} for name in node.get("properties", {})]
    others = [*reversed(node.get("enum", [])), *OTHERS, *named]
    return next(other for other in others if other not in (default, None) and Draft7Validator(node).is_valid(other))


@cache
def _schema(path: Path) -> dict[str, Any]:
    node = schema()
    for key in path:
        node = node.get("properties", {}).get(key, node.get("additionalProperties"))
        node = node if isinstance(node, dict) else {}
    return node


def _at(path: Path) -> Any:
    values: Any = DEFAULTS
    for key in path:
        values = values[key]
    return values


def _templates() -> list[tuple[str, str]]:
    files = [path for path in (CHART / "templates").rglob("*") if path.is_file()]
    assert files
    return [(str(path.relative_to(CHART)), path.read_text()) for path in files]


def _is_known(path: Path, values: object) -> bool:
    """Whether values have this key; below a map that is free there may be anything."""
    if not path or not isinstance(values, dict) or not values:
        return True
    return path[0] in values and _is_known(path[1:], values[path[0]])
