"""What a simulation is asked for, by the environment: TRACE, WAIT, SLOTS, MAX, BOOT and SEED."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from bench.simulator.cluster import ClusterSpec


@dataclass(frozen=True)
class Options:
    """A trace instead of the standard set, the targets in seconds, the cluster, the most workers and the seed."""

    trace: Path | None
    targets: tuple[float, ...]
    spec: ClusterSpec
    most: int
    seed: int

    @classmethod
    def from_environment(cls) -> Options:
        """Return the options. Exits with a sentence when one is no number."""
        trace = os.environ.get("TRACE", "")
        boot = os.environ.get("BOOT", "")
        spec = ClusterSpec(slots=int(_numbers("SLOTS", "4")[0]))
        if boot:
            spec = ClusterSpec(slots=spec.slots, boot_alone=_numbers("BOOT", boot)[0], boot_each=0.0)
        return cls(
            trace=Path(trace) if trace else None,
            targets=_numbers("WAIT", "30,120"),
            spec=spec,
            most=int(_numbers("MAX", "60")[0]),
            seed=int(_numbers("SEED", "1")[0]),
        )


def _numbers(name: str, otherwise: str) -> tuple[float, ...]:
    text = os.environ.get(name) or otherwise
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if not numbers or any(not 0 < number < 1e6 for number in numbers):
        raise SystemExit(f"{name}={text}: give a number above 0" + (", or several with commas" * (name == "WAIT")))
    return numbers
