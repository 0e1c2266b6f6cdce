"""Writes the chart's README: a hand-written head, and every value with its default and what it does.

What a value does is said in values.yaml, above it, in a comment that begins with `# --`. A map whose own values have
such comments is a heading; a map without them is one value. `make chart` runs this.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import yaml

HERE = Path(__file__).parent
HEAD = HERE / "readme.head.md"
CHART = HERE / "heavylift"

MARK = "# --"

LONGEST_DEFAULT = 60
"""Characters of a default beyond which a table is no longer readable: the reader is sent to values.yaml."""


@dataclass(frozen=True)
class Value:
    """One key of values.yaml."""

    path: tuple[str, ...]
    text: str
    """What the comment says; empty without one."""
    default: object
    children: tuple[Self, ...]

    @property
    def name(self) -> str:
        """The path as `--set` takes it."""
        return ".".join(self.path)

    @property
    def is_heading(self) -> bool:
        """Whether the values below this one are described one by one."""
        return any(child.text or child.is_heading for child in self.children)

    def rows(self) -> Iterator[Self]:
        """Yield what stands in the table: this value and those below it that are described one by one."""
        yield self
        if self.is_heading:
            for child in self.children:
                yield from child.rows()


def read(text: str) -> tuple[Value, ...]:
    """Return the values at the top level of a values.yaml."""
    return _values(yaml.compose(text, Loader=yaml.SafeLoader), (), yaml.safe_load(text), text.splitlines())


def undocumented(values: tuple[Value, ...]) -> list[str]:
    """Return the names of the values that nothing describes. A heading that holds described values may go without."""
    rows = (row for value in values for row in value.rows())
    return [row.name for row in rows if not row.text and not row.is_heading]


def render(head: str, values: tuple[Value, ...]) -> str:
    """Return the README."""
    sections = [("General", "", [value for value in values if not value.is_heading])]
    sections += [(value.name, value.text, [*value.rows()][1:]) for value in values if value.is_heading]
    paragraphs = [head.strip(), "## Values"]
    for title, text, rows in sections:
        paragraphs += [f"### {title}", *([text] if text else []), _table(rows)]
    return "\n\n".join(paragraphs) + "\n"


def _values(node: yaml.Node | None, path: tuple[str, ...], default: object, lines: list[str]) -> tuple[Value, ...]:
    if not isinstance(node, yaml.MappingNode) or not isinstance(default, dict):
        return ()
    return tuple(
        Value(
            path=(*path, key.value),
            text=_comment(lines, key.start_mark.line),
            default=default[key.value],
            children=_values(value, (*path, key.value), default[key.value], lines),
        )
        for key, value in node.value
    )


def _comment(lines: list[str], below: int) -> str:
    """Return the described part of the comment that ends right above a line."""
    first = below
    while first and lines[first - 1].lstrip().startswith("#"):
        first -= 1
    comment = [line.strip() for line in lines[first:below]]
    marks = [number for number, line in enumerate(comment) if line.startswith(MARK)]
    if not marks:
        return ""
    return " ".join(line.removeprefix(MARK).lstrip("# ") for line in comment[marks[-1] :]).strip()


def _table(rows: list[Value]) -> str:
    cells = [(f"`{row.name}`", "" if row.is_heading else _default(row.default), row.text) for row in rows]
    lines = [("value", "default", ""), ("---", "---", "---"), *cells]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines)


def _default(default: object) -> str:
    text = json.dumps(default, ensure_ascii=False)
    return f"`{text}`" if len(text) <= LONGEST_DEFAULT else "see values.yaml"


def current() -> str:
    """Return the README as it should be now."""
    return render(HEAD.read_text(), read((CHART / "values.yaml").read_text()))


if __name__ == "__main__":
    (CHART / "README.md").write_text(current())
