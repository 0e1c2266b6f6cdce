"""The tables of the documentation that are rendered from code: settings, metrics and problem types.

`python -m tests.unit.docs.tables` writes them anew; test_docs.py fails while they are not those of the code.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import textwrap
from collections.abc import Callable, Iterable
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

from prometheus_client.metrics import MetricWrapperBase
from pydantic import ByteSize
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from heavylift_api.errors import Problem

ROOT = Path(__file__).parents[3]
RENDERED = (ROOT / "docs/operations.md", ROOT / "docs/http-api.md")

COMPUTED = {"artifacts_url": "`.data/artifacts` in the working folder", "worker_name": "host name and process id"}
"""Defaults that are known at the start only, in words."""

_UNITS = ((timedelta(days=1), "d"), (timedelta(hours=1), "h"), (timedelta(minutes=1), "m"))
_SETTINGS = re.compile(r"<!-- settings (?P<name>[\w.:]+) -->\n.*?<!-- /settings -->", re.DOTALL)
_METRICS = re.compile(r"<!-- metrics (?P<name>[\w. ]+) -->\n.*?<!-- /metrics -->", re.DOTALL)
_PROBLEMS = re.compile(r"<!-- problems -->\n.*?<!-- /problems -->", re.DOTALL)


def rendered(text: str) -> str:
    """Return a page with its tables as the code has them."""
    text = _SETTINGS.sub(
        lambda found: f"<!-- settings {found['name']} -->\n{settings_table(found['name'])}<!-- /settings -->", text
    )
    text = _METRICS.sub(
        lambda found: f"<!-- metrics {found['name']} -->\n{metrics_table(found['name'])}<!-- /metrics -->", text
    )
    return _PROBLEMS.sub(lambda _: f"<!-- problems -->\n{problems_table()}<!-- /problems -->", text)


def settings_table(name: str) -> str:
    """Return the table of the settings a class adds to those it inherits; `name` is `module:Class`."""
    module, _, class_name = name.partition(":")
    cls: type[BaseSettings] = getattr(importlib.import_module(module), class_name)
    docstrings = attribute_docstrings(cls)
    prefix = cls.model_config.get("env_prefix")
    rows = [
        (f"`{prefix}{field.upper()}`", default(field, cls.model_fields[field]), allowed(cls.model_fields[field], text))
        for field, text in docstrings.items()
    ]
    return table(("variable", "default", ""), rows)


def metrics_table(names: str) -> str:
    """Return the table of the metrics that modules hold; a module's function `families` gives those it collects."""
    modules = [importlib.import_module(name) for name in names.split()]
    found = [value for module in modules for value in vars(module).values() if isinstance(value, MetricWrapperBase)]
    rows = [(family, family._labelnames) for module in modules for family in getattr(module, "families", tuple)()]
    rows += [(family, metric._labelnames) for metric in found for family in metric.describe()]
    return table(
        ("metric", "labels", ""),
        [
            (
                f"`{family.name}{'_total' if family.type == 'counter' else ''}`",
                ", ".join(f"`{label}`" for label in labels),
                f"{family.documentation} ({family.type})",
            )
            for family, labels in rows
        ],
    )


def problems_table() -> str:
    """Return the table of all problem types."""
    kinds = sorted(_subclasses(Problem), key=lambda kind: (kind.status, kind.slug))
    return table(
        ("status", "type", ""), [(str(kind.status), f"`{kind.slug}`", inspect.getdoc(kind) or "") for kind in kinds]
    )


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ("---",) * len(head), *rows]
    return "".join("|" + "|".join(f" {' '.join(cell.split())} " for cell in line) + "|\n" for line in lines)


def attribute_docstrings(cls: type) -> dict[str, str]:
    """Return the strings that stand below a class's own annotated attributes, by attribute; '' where there is none."""
    body = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
    assert isinstance(body, ast.ClassDef)
    found: dict[str, str] = {}
    for statement, following in zip(body.body, [*body.body[1:], None], strict=True):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            value = following.value if isinstance(following, ast.Expr) else None
            is_text = isinstance(value, ast.Constant) and isinstance(value.value, str)
            found[statement.target.id] = value.value if is_text else ""
    return found


def default(name: str, field: FieldInfo) -> str:
    """Return a setting's default as one would write it into the environment."""
    if field.default_factory is not None:
        return COMPUTED[name]
    value = field.default
    if value in (None, "", ()):
        return ""
    return f"`{_written(value)}`"


def allowed(field: FieldInfo, text: str) -> str:
    """Return the description, with the choices where there are some."""
    if isinstance(field.annotation, type) and issubclass(field.annotation, StrEnum):
        return f"{text} One of {', '.join(f'`{choice}`' for choice in field.annotation)}."
    return text


def _written(value: object) -> str:
    written: dict[type, Callable[..., str]] = {
        timedelta: _duration,
        ByteSize: lambda size: size.human_readable(separator="").replace(".0", ""),
        bool: lambda flag: str(flag).lower(),
        tuple: ",".join,
    }
    return written.get(type(value), str)(value)


def _duration(value: timedelta) -> str:
    whole = next(((value // unit, name) for unit, name in _UNITS if value >= 2 * unit and not value % unit), None)
    return f"{whole[0]}{whole[1]}" if whole else f"{value.total_seconds():g}s"


def _subclasses(cls: type[Problem]) -> list[type[Problem]]:
    return [found for kind in cls.__subclasses__() for found in (kind, *_subclasses(kind))]


def main() -> None:
    """Write all rendered tables."""
    for page in RENDERED:
        page.write_text(rendered(page.read_text()))


if __name__ == "__main__":
    main()
