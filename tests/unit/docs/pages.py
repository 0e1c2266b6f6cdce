"""Reading the documentation: its pages, links, code blocks and commands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.unit.docs.tables import ROOT

PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])

_FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"`(?P<code>[^`\n]+)`")
_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#+ (?P<title>.+)$", re.MULTILINE)
_COMMAND = re.compile(r"(make|heavylift|python -m|\.venv/bin/\S+)( |$)")


class Block(NamedTuple):
    """A fenced block of code."""

    page: Path
    line: int
    language: str
    code: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path, *languages: str) -> Iterator[Block]:
    """Yield a page's fenced blocks in these languages."""
    text = page.read_text()
    for match in _FENCE.finditer(text):
        if match["language"] in languages:
            line = text.count("\n", 0, match.start()) + 1
            yield Block(page, line, match["language"], match["code"])


def prose(page: Path) -> str:
    """Return a page without its fenced blocks."""
    return _FENCE.sub("", page.read_text())


def links(page: Path) -> list[str]:
    """Return the targets of a page's links that lead into this repository."""
    return [found["target"] for found in _LINK.finditer(prose(page)) if "://" not in found["target"]]


def anchors(page: Path) -> set[str]:
    """Return the anchors GitHub gives a page's headings."""
    titles = [found["title"].lower() for found in _HEADING.finditer(prose(page))]
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in titles}


def commands(page: Path) -> Iterator[list[str]]:
    """Yield the commands of this project that a page names, in shell blocks and in the running text, as words."""
    for block in blocks(page, "sh"):
        yield from filter(None, map(_words, block.code.splitlines()))
    for block in blocks(page, "console"):
        yield from filter(None, (_words(line[2:]) for line in block.code.splitlines() if line.startswith("$ ")))
    for match in _INLINE.finditer(prose(page)):
        yield from filter(None, [_words(match["code"])])


def _words(line: str) -> list[str]:
    """Return a line's words without leading assignments; none if it is no command of this project."""
    line = re.sub(r"^(\w+=\S+ )+", "", line.strip())
    return shlex.split(line, comments=True) if _COMMAND.match(line) else []
