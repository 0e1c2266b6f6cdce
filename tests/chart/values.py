"""Sets of values, and the chart's own values.yaml and schema as data."""

import json
from collections.abc import Iterator
from pathlib import Path as File
from typing import Any

import yaml

from tests.chart.helm import CHART, Values

Path = tuple[str, ...]

# What a render without a cluster needs beside the defaults: nothing is looked up, so nothing can be made up.
SECRETS: Values = {
    "api": {"apiKeys": {"key": "an-api-key-of-the-tests"}},
    "flower": {"auth": {"password": "a-flower-password"}},
    "redis": {"auth": {"password": "a-redis-password"}},
}


def read(path: File) -> dict[str, Any]:
    """Return a file of values."""
    return yaml.safe_load(path.read_text())


DEFAULTS = read(CHART / "values.yaml")


def merged(*values: Values) -> dict[str, Any]:
    """Return values laid over each other as Helm does it: maps are merged, everything else is replaced."""
    result: dict[str, Any] = {}
    for one in values:
        for key, value in one.items():
            below = result.get(key)
            both_maps = isinstance(value, dict) and isinstance(below, dict)
            result[key] = merged(below, value) if both_maps else value
    return result


def at(path: Path, value: object) -> dict[str, Any]:
    """Return values in which nothing is set but this."""
    result: object = value
    for key in reversed(path):
        result = {key: result}
    assert isinstance(result, dict)
    return result


def leaves(values: object = None, path: Path = ()) -> Iterator[Path]:
    """Yield the path of every value that is no map of further values; an empty map is one."""
    values = DEFAULTS if values is None and not path else values
    if isinstance(values, dict) and values:
        for key, value in values.items():
            yield from leaves(value, (*path, key))
    else:
        yield path


def schema() -> dict[str, Any]:
    """Return values.schema.json."""
    return json.loads((CHART / "values.schema.json").read_text())
