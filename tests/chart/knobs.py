"""Each value of values.yaml as something to turn: what it is by default, what else it may be, what comes of it."""

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from jsonschema import Draft7Validator

from tests.chart.helm import Helm, RefusedError
from tests.chart.values import DEFAULTS, Path, at, leaves, merged, schema

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

FIRST_MARK = 20_001
"""Of five digits, as few other numbers are, and a port."""

# Refused unless another value is turned with them: a common render would be split again and again for their sake.
NOT_ALONE = (
    "artifacts.s3.bucket",
    "externalRedis.host",
    "externalRedis.sentinel.nodes",
    "externalRedis.urlSecret.name",
    "extraObjects",
    "workers.defaults.autoscaling.keda.triggers",
    "workers.defaults.autoscaling.min",
    "workers.defaults.autoscaling.minIdle",
    "workers.defaults.autoscaling.queues",
    "workers.defaults.egressRules",
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


def shown(helm: Helm, contexts: Sequence[dict[str, Any]]) -> set[Path]:
    """Return the values that are seen in a render as they stand: each is given a number of its own.

    All are turned in one render. If that is refused, they are turned in two, and so on: some do not go together.
    """
    paths = [path for path in leaves() if ".".join(path) not in NOT_ALONE]
    marks = {path: number for number, path in enumerate(paths, FIRST_MARK) if _marked(path, number) is not None}
    found: set[Path] = set()
    for context in contexts:
        if not renders(helm, context):
            continue
        seen, refused = _shown(helm, context, marks)
        found |= seen
        marks = {path: number for path, number in marks.items() if path not in seen | refused}
    return found


def _shown(helm: Helm, context: dict[str, Any], marks: dict[Path, int]) -> tuple[set[Path], set[Path]]:
    """Return what is seen, and what is refused when it is turned alone."""
    turned = [at(path, _marked(path, number)) for path, number in marks.items()]
    try:
        seen = _numbers(helm.template(merged(context, *turned))) - _numbers(helm.template(context))
    except RefusedError:
        if len(marks) == 1:
            return set(), set(marks)
        items = [*marks.items()]
        half = len(items) // 2
        halves = [_shown(helm, context, dict(some)) for some in (items[:half], items[half:])]
        return halves[0][0] | halves[1][0], halves[0][1] | halves[1][1]
    return {path for path, number in marks.items() if number in seen}, set()


def _numbers(text: str) -> set[int]:
    return {int(number) for number in re.findall(r"(?<!\d)0*(\d{5})(?!\d)", text)}


def _marked(path: Path, number: int) -> object:
    """Return a value with this number in it that the schema takes; None: it takes none."""
    name = f"mark{number}"
    candidates = (
        number,
        f"{number}s",
        name,
        f"/{name}",
        f"{number}Gi",
        f"sha256:{number:064}",
        [name],
        [{"name": name}],
        {name: name},
        {"requests": {"cpu": f"{number}m"}},
        {"path": f"/{name}"},
        {name: {"targetWaitSeconds": number}},
        [{"cron": "0 7 * * *", "duration": f"{number}s", "min": 1}],
    )
    return next((one for one in candidates if takes(path, one)), None)


def renders(helm: Helm, values: dict[str, Any]) -> bool:
    """Whether these values are not refused."""
    try:
        return bool(helm.template(values))
    except RefusedError:
        return False


@cache
def _schema(path: Path) -> dict[str, Any]:
    node = schema()
    for key in path:
        node = node.get("properties", {}).get(key, node.get("additionalProperties"))
        node = node if isinstance(node, dict) else {}
    return node
