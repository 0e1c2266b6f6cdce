"""The processes of a development stack beside its Redis."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import timedelta

from heavylift.dev.data import DataFolder
from heavylift.dev.options import POOL, StackOptions
from heavylift.dev.ports import HOST
from heavylift.dev.process import ProcessSpec

WORKER_GRACE = timedelta(seconds=10)
"""What a worker gets to end when the stack ends."""

_JOB_GRACE = "PT3S"
"""What a running job gets of it; then it goes back to the queue with no attempt counted."""

FIRST, THEN, LAST = range(3)
"""The order in which the parts end: who holds jobs, who serves them, and Redis, which both write to until they end."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the parts find each other."""

    redis_url: str
    api_port: int
    flower_port: int


def services(options: StackOptions, data: DataFolder, addresses: Addresses) -> list[ProcessSpec]:
    """Return the processes jobs need beside the workers, in the order to start them."""
    env = _environment(options, data, addresses)
    scaling = {"HEAVYLIFT_SCALING": "local", "HEAVYLIFT_POOLS_FILE": str(data.pools)} if options.workers else {}
    return [
        ProcessSpec("api", _python("heavylift_api"), env=env, stop_last=THEN),
        ProcessSpec("controller", _python("heavylift_controller"), env={**env, **scaling}, stop_last=THEN),
    ]


def worker(name: str, options: StackOptions, data: DataFolder, addresses: Addresses) -> ProcessSpec:
    """Return a worker of the stack's pool."""
    jobs = ("--jobs", *options.jobs) if options.jobs else ()
    return ProcessSpec(
        name,
        _python("heavylift_worker", "--name", name, "--concurrency", "1", *jobs),
        env={**_environment(options, data, addresses), "HEAVYLIFT_POOL": POOL},
        stop_last=FIRST,
        grace=WORKER_GRACE,
    )


def flower(options: StackOptions, addresses: Addresses) -> ProcessSpec:
    """Return Flower, which shows attempts as they end."""
    env = {
        "HEAVYLIFT_REDIS_URL": addresses.redis_url,
        "HEAVYLIFT_FLOWER_HOST": HOST,
        "HEAVYLIFT_FLOWER_PORT": str(addresses.flower_port),
        **options.env,
    }
    return ProcessSpec("flower", _python("heavylift_flower"), env=env, stop_last=THEN)


def _environment(options: StackOptions, data: DataFolder, addresses: Addresses) -> dict[str, str]:
    return {
        "HEAVYLIFT_REDIS_URL": addresses.redis_url,
        "HEAVYLIFT_ARTIFACTS_URL": data.artifacts.as_uri(),
        "HEAVYLIFT_HOST": HOST,
        "HEAVYLIFT_PORT": str(addresses.api_port),
        "HEAVYLIFT_GRACE": _JOB_GRACE,
        **options.env,
    }


def _python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]
