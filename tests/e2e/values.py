"""Values that the tests install the chart with: small pods, and a pool that runs a team's own jobs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.e2e.manifests import Manifest

TAG = "0.1.0"
PROBER_IMAGE = f"heavylift/api:{TAG}"

Values = dict[str, Any]

_JOBS = Path(__file__).with_name("team_jobs.py")
TEAM_JOBS: Manifest = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "team-jobs"},
    "data": {_JOBS.name: _JOBS.read_text()},
}
"""The module that `TEAM` mounts."""

SMALL: Values = {"resources": {"requests": {"cpu": "20m", "memory": "64Mi"}}}

TEAM: Values = {
    "queues": ["team"],
    "jobs": ["team_jobs"],
    "volumes": [{"name": "team", "configMap": {"name": "team-jobs"}}],
    "volumeMounts": [{"name": "team", "mountPath": "/team"}],
    "env": {"PYTHONPATH": "/team"},
    **SMALL,
}
"""A pool for the jobs of `team_jobs.py`, instead of the chart's own."""


def merged(*values: Values) -> Values:
    """Return the values merged as Helm merges files: maps deeply, the later one wins."""
    result: Values = {}
    for each in values:
        for key, value in each.items():
            known = result.get(key)
            result[key] = merged(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return result


def team(*overrides: Values, **pool: object) -> Values:
    """Return the values of a small installation with the team's pool, changed by `pool` and then by `overrides`."""
    small: Values = {
        "api": {"replicas": 1, **SMALL},
        "controller": {"replicas": 1, **SMALL},
        "redis": SMALL,
        "flower": {"enabled": False},
        "test": {"enabled": False},
        "scaling": {"engine": "none"},  # a test says itself how many workers there are
        "workers": {"pools": {"video": None, "team": TEAM | pool}},
    }
    return merged(small, *overrides)
