"""What `@job` takes, checked where it is written: a mistake is told to the job's author, not to who sends jobs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from heavylift.errors import ConfigurationError
from heavylift.ids import QUEUE_NAME
from heavylift.model import RetryPolicy

TYPE_NAME = re.compile(r"\w[\w.:/-]{0,199}\Z")
"""Whatever Celery names a task, and nothing that has to be quoted in a shell or a URL; the API takes no longer one."""

_SHOWN = 80
"""Characters of a wrong value that are repeated."""


def check(name: object, **parameters: object) -> None:
    """Raise ConfigurationError if the name or a parameter of `@job` is not what it takes."""
    if callable(name):
        function = getattr(name, "__name__", "")
        raise ConfigurationError(f'@job needs the job type\'s name: write @job("{function}") above `def {function}`.')
    if not isinstance(name, str) or not TYPE_NAME.match(name):
        raise ConfigurationError(
            f"Job type {_shown(name)}: its name takes letters, digits, `_ . : / -`, begins with a letter, digit or `_`,"
            " and has at most 200 characters, such as video.transcode."
        )
    for parameter, value in parameters.items():
        fits, takes = _RULES[parameter]
        if not fits(value):
            raise ConfigurationError(f"Job type {name!r}: {parameter} is {_shown(value)}; it takes {takes}.")


def check_file_field(field: str, schema: Mapping[str, Any], name: str) -> None:
    """Raise ConfigurationError if no input of this schema, the one the API checks uploads against, has such a field."""
    root = schema["$defs"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema  # of a recursive model
    fields = root.get("properties", {})
    if field not in fields and not root.get("additionalProperties"):
        there = f"its fields are {', '.join(fields)}" if fields else "it has none"
        raise ConfigurationError(f"Job type {name!r}: file_field {field!r} is no field of its input: {there}.")


def _is_queue(value: object) -> bool:
    return isinstance(value, str) and QUEUE_NAME.match(value) is not None


def _is_retry(value: object) -> bool:
    return value is None or isinstance(value, RetryPolicy)


def _is_limit(value: object) -> bool:
    return value is None or (isinstance(value, timedelta) and value > timedelta(0))


def _is_retention(value: object) -> bool:
    return isinstance(value, timedelta) and value >= timedelta(0)


def _are_exceptions(value: object) -> bool:
    return isinstance(value, tuple | list) and all(
        isinstance(each, type) and issubclass(each, BaseException) for each in value
    )


def _are_modules(value: object) -> bool:
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and all(isinstance(each, str) and each for each in value)
    )


def _is_field(value: object) -> bool:
    return value is None or isinstance(value, str)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


_LIMIT = "a length of time above zero, such as timedelta(seconds=60), or None for no limit"

_RULES: dict[str, tuple[Callable[[object], bool], str]] = {
    "queue": (_is_queue, "lower case letters, digits, `_` and `.`, begins with a letter, and has at most 63 of them"),
    "retry": (_is_retry, "a RetryPolicy, such as RetryPolicy(max_attempts=5)"),
    "retry_on": (_are_exceptions, "a tuple of exception classes, such as (OSError,)"),
    "soft_time_limit": (_is_limit, _LIMIT),
    "time_limit": (_is_limit, _LIMIT),
    "retention": (_is_retention, "a length of time, such as timedelta(days=7)"),
    "libraries": (_are_modules, 'a tuple of module names, such as ("numpy",)'),
    "file_field": (_is_field, "the name of a field of the input model, or None"),
}
"""For each parameter: what is right, and the same in words."""
