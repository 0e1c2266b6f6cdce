"""What a run of the bench is asked for, by the environment: ROWS and ROUNDS."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Options:
    """Which rows, how many rounds, and where what they need lies meanwhile."""

    rows: tuple[str, ...]
    rounds: int
    folder: Path

    @classmethod
    def from_environment(cls, known: Sequence[str], folder: Path) -> Options:
        """Return the options. Exits with a sentence when they name what there is not."""
        rows = tuple(name for name in os.environ.get("ROWS", "").replace(" ", "").split(",") if name) or tuple(known)
        if unknown := set(rows) - set(known):
            raise SystemExit(f"ROWS={','.join(sorted(unknown))}: there is no such row, only {', '.join(known)}")
        rounds = os.environ.get("ROUNDS") or "5"
        if not rounds.isdecimal() or int(rounds) < 1:
            raise SystemExit(f"ROUNDS={rounds}: give a whole number from 1")
        return cls(rows, int(rounds), folder)

    @property
    def command(self) -> str:
        """How to ask for the same again."""
        return f"make bench ROWS={','.join(self.rows)} ROUNDS={self.rounds}"
