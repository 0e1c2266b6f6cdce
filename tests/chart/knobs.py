"""Each value of values.yaml as something to turn: what it is by default, what else it may be, what comes of it."""

from functools import cache
from typing import Any

from jsonschema import Draft7Validator

from tests.chart.helm import Helm, RefusedError
from tests.chart.values import DEFAULTS, Path, schema

# Tried in turn until one lets a value be something else than its default. An end takes longer than a grace.
OTHERS: tuple[Any, ...] = (
    True,
    False,
    "77s",
    777,
    77,
    "7Gi",
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
    {"sentinel": {"targetWaitSeconds": 777}},
    [{"cron": "0 7 * * *", "duration": "7h", "min": 7}],
)


def default(path: Path) -> Any:
    """Return what values.yaml says."""
    values: Any = DEFAULTS
    for key in path:
        values = values[key]
    return values


def other(path: Path) -> object:
    """Return a value that is not the default and that the schema takes."""
    node = _schema(path)
    named = [{name: 777} for name in node.get("properties", {})]
    others = [*reversed(node.get("enum", [])), *OTHERS, *named]
    validator, unwanted = Draft7Validator(node), (default(path), None)
    return next(one for one in others if one not in unwanted and validator.is_valid(one))


def takes(path: Path, value: object) -> bool:
    """Whether the schema lets a value be this."""
    return bool(_schema(path)) and Draft7Validator(_schema(path)).is_valid(value)


def outcome(helm: Helm, values: dict[str, Any]) -> str:
    """Return the objects, or the sentence with which they are refused: that is an effect, too."""
    try:
        return helm.template(values)
    except RefusedError as refused:
        sentence = str(refused)
    assert "specifications of the schema" not in sentence
    return sentence


@cache
def _schema(path: Path) -> dict[str, Any]:
    node = schema()
    for key in path:
        node = node.get("properties", {}).get(key, node.get("additionalProperties"))
        node = node if isinstance(node, dict) else {}
    return node
