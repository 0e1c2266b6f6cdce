"""The definition of WorkerPool as the chart has it, and what the tests of it begin with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import yaml
from jsonschema import Draft4Validator

from heavylift_controller.scaler.status import Change, PoolStatus, as_json
from heavylift_controller.scaling import Decision, Inputs, Limiter, Memory, Terms

CRD = yaml.safe_load((Path(__file__).parents[4] / "charts/heavylift/crds/workerpools.yaml").read_text())
(VERSION,) = CRD["spec"]["versions"]
SCHEMA = VERSION["schema"]["openAPIV3Schema"]
STATUS = PoolStatus(
    pool="video",
    queues=("video", "thumbs"),
    waiting=3,
    running=1,
    oldest_age_seconds=12.4,
    current=1,
    desired=4,
    ready=1,
    draining=("video-1",),
    limiter="slo",
    reason="4 workers instead of 1.",
    decided_at=1_800_000_000.0,
    target="rel-worker-video",
    last=(Change(1_799_999_990.0, 0, 1, "slo"),),
)


def decision(limiter: Limiter = Limiter.SLO, *, cause: str = "") -> Decision:
    return Decision(1, 4, 4, 0, limiter, cause, Inputs(), Terms(), Memory())


def published(**changes: object) -> dict[str, object]:
    return as_json(replace(STATUS, **changes))


def faults(status: dict[str, object]) -> list[str]:
    """Return what the definition has against a status that is written as a merge patch."""
    known = {name: value for name, value in status.items() if value is not None}
    return [error.message for error in Draft4Validator(SCHEMA).iter_errors({"status": known})]
