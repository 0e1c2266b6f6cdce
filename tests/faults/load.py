"""What is submitted: how many jobs, how fast, and of which kinds."""

from __future__ import annotations

import json
import random
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Kind:
    """One kind of job. `share` of all jobs are such; they run `seconds` (from, to)."""

    share: float
    seconds: tuple[float, float] = (0.0, 0.0)
    type: str = "faults.work"
    delay: tuple[float, float] | None = None
    """Due so many seconds (from, to) after their submit."""
    fields: dict[str, Any] = field(default_factory=dict)

    def input(self, rng: random.Random) -> dict[str, Any]:
        return {"seconds": round(rng.uniform(*self.seconds), 4), **self.fields}


SHORT = Kind(1.0, (0.0, 0.004))
"""Most jobs: as many claims and finishes as possible for a fault to fall between."""


@dataclass(frozen=True)
class Load:
    """Jobs of all producers together."""

    jobs: int
    seconds: float
    """How long submitting takes: as long as there are faults."""
    kinds: tuple[Kind, ...] = (SHORT,)
    seed: int = 1

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Load:
        facts = json.loads(text)
        facts["kinds"] = tuple(Kind(**kind) for kind in facts["kinds"])
        return cls(**facts)

    def pick(self, rng: random.Random) -> Kind:
        """Return a kind, SHORT for what the shares leave."""
        point = rng.random()
        for kind in self.kinds:
            point -= kind.share
            if point < 0:
                return kind
        return SHORT


@dataclass(frozen=True, slots=True)
class Accepted:
    """A job a producer was told is accepted. Times are monotonic."""

    job: str
    at: float
    due: float
