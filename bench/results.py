"""What a row found out, kept as JSON under docs/benchmarks, so that a page can be written of rows run apart."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path

import orjson

from bench.environments import BENCH
from bench.spread import Spread

FOLDER = BENCH.parent / "docs" / "benchmarks"


@dataclass
class Goal:
    """A number to reach. `reached` is None where it could not be measured."""

    what: str
    wanted: str
    found: str
    reached: bool | None

    @classmethod
    def at_least(cls, what: str, wanted: float, found: Spread, *, unit: str = "x", digits: int = 2) -> Goal:
        """Return the goal that the median is at least `wanted`."""
        return cls(what, f"≥ {wanted:g} {unit}", f"{found.text(digits)} {unit}", found.median >= wanted)

    @classmethod
    def at_most(cls, what: str, wanted: float, found: Spread, *, unit: str = "x", digits: int = 2) -> Goal:
        """Return the goal that the median is at most `wanted`."""
        return cls(what, f"≤ {wanted:g} {unit}", f"{found.text(digits)} {unit}", found.median <= wanted)


@dataclass
class Bars:
    """A chart of medians with their ranges."""

    name: str
    title: str
    unit: str
    bars: dict[str, Spread]
    kind: str = "bars"


@dataclass
class Line:
    """A chart of one value over time."""

    name: str
    title: str
    unit: str
    lines: dict[str, list[tuple[float, float]]]
    kind: str = "line"


@dataclass
class Result:
    """One row of the bench."""

    row: str
    title: str
    how: str
    columns: list[str]
    lines: list[list[str]]
    goals: list[Goal] = field(default_factory=list)
    charts: list[Bars | Line] = field(default_factory=list)
    rounds: dict[str, list[float]] = field(default_factory=dict)
    """The figures behind the medians, a list of one a round."""

    def save(self, facts: dict[str, str], command: str) -> Path:
        """Write it as JSON and return where."""
        FOLDER.mkdir(parents=True, exist_ok=True)
        path = FOLDER / f"{self.row}.json"
        content = {**asdict(self), "facts": facts, "command": command}
        path.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2, default=list) + b"\n")
        return path
