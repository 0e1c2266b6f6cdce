"""A release with several small pools that scale, and everything that watches it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from heavylift.client import Client
from tests.e2e.commands import run
from tests.e2e.manifests import Manifest
from tests.e2e.manifests import redis as redis_manifests
from tests.e2e.namespace import Namespace
from tests.e2e.port_forward import PortForward
from tests.e2e.release import Release
from tests.e2e.scaling.watch import Watching
from tests.e2e.values import SMALL, Values, merged, team
from tests.waiting import wait_until

CLI = str(Path(sys.executable).with_name("heavylift"))
PLURAL = "workerpools.heavylift.dev"
MANUAL_HOLD = 12
"""Seconds that a number stands which somebody else sets: long beside a tick, short beside a test."""

TARGET = 20
"""Seconds: long enough for a boot on a busy machine. Where it is not, workers are kept for work that may come back."""

_JOBS = Path(__file__).with_name("pool_jobs.py")
POOL_JOBS: Manifest = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "pool-jobs"},
    "data": {_JOBS.name: _JOBS.read_text()},
}


@dataclass
class Installation:
    """What a test of scaling is given."""

    release: Release
    pools: Sequence[str]
    client: Client
    database: redis.Redis
    """The release's own Redis."""
    ledger: redis.Redis
    watching: Watching

    @property
    def namespace(self) -> Namespace:
        return self.release.namespace

    def deployment(self, pool: str) -> str:
        return f"{self.release.fullname}-worker-{pool}"

    def resource(self, pool: str) -> str:
        return f"{PLURAL}/{self.release.fullname}-{pool}"

    def hold(self, pool: str, number: int) -> None:
        """Hold a pool at a number, as a user does."""
        self.namespace.kubectl("scale", self.resource(pool), f"--replicas={number}")

    def let_go(self, pool: str) -> None:
        """Take that back, as a user does without our command line."""
        self.patch(pool, {"replicas": None})

    def patch(self, pool: str, spec: Manifest) -> None:
        self.namespace.kubectl("patch", self.resource(pool), "--type=merge", "--patch", json.dumps({"spec": spec}))

    def rest(self, pool: str) -> None:
        """Let a pool go to nothing at once, whatever it has learned to keep."""
        self.hold(pool, 0)

    @contextmanager
    def told(self, pool: str, way: str, what: str) -> Generator[None]:
        """Have a pool `paused`, `freeze-in` or `freeze-out` in the block, by its `field` or by an `annotation`."""
        head, *tail = what.split("-")
        name = head + "".join(part.title() for part in tail)
        annotate = ("annotate", self.resource(pool), "--overwrite")
        if way == "field":
            self.patch(pool, {name: True})
        else:
            self.namespace.kubectl(*annotate, f"heavylift.dev/{what}=true")
        try:
            yield
        finally:
            if way == "field":
                self.patch(pool, {name: None})
            else:
                self.namespace.kubectl(*annotate, f"heavylift.dev/{what}-")

    def run_cli(self, *arguments: str) -> str:
        """Run our command line as its user does."""
        with PortForward(self.namespace, f"{self.release.fullname}-api", "http") as forward:
            env = {
                **os.environ,
                "HEAVYLIFT_API_KEY": self.release.secret("api-keys", "key"),
                "HEAVYLIFT_URL": forward.url,
            }
            return run(CLI, *arguments, env=env)

    def submit(self, pool: str, *seconds: float) -> list[str]:
        """Submit jobs that last so long, in one request; return their ids."""
        batch = self.client.submit_batch([{"type": f"{pool}.rest", "input": {"seconds": each}} for each in seconds])
        assert not batch.refused
        return [result.id for result in batch.results if result.id]

    def status(self, pool: str) -> dict[str, Any]:
        """Return what the controller says of a pool, as `GET /v1/pools` does."""
        text: Any = self.database.hget("hl:pools", pool)
        return json.loads(text) if text else {}

    def wait_for_status(self, pool: str, fits: Callable[[Mapping[str, Any]], bool], *, what: str) -> dict[str, Any]:
        """Return what is said of a pool once it fits."""

        def said() -> dict[str, Any] | None:
            status = self.status(pool)
            return status if status and fits(status) else None

        return wait_until(said, 20, what=f"{what} of {pool}", every=0.1)

    def wait_for_replicas(self, pool: str, number: int, timeout: float = 60) -> None:
        wait_until(
            lambda: self.watching.replicas(pool) == number, timeout, what=f"{pool} asking for {number}", every=0.05
        )

    def wait_until_empty(self, *pools: str, timeout: float = 60) -> None:
        """Wait until pools ask for no worker and have none."""
        for pool in pools:
            self.wait_for_replicas(pool, 0, timeout)
            wait_until(lambda p=pool: not self.watching.pods(p), timeout, what=f"no pod of {pool}", every=0.1)


def pool_values(name: str, **autoscaling: object) -> Values:
    """Return the values of a pool with a queue of its own name."""
    ledger = {"to": [{"podSelector": {"matchLabels": {"app": "ledger"}}}], "ports": [{"port": 6379}]}
    return {
        "queues": [name],
        "jobs": ["pool_jobs"],
        "volumes": [{"name": "jobs", "configMap": {"name": "pool-jobs"}}],
        "volumeMounts": [{"name": "jobs", "mountPath": "/jobs"}],
        "env": {"PYTHONPATH": "/jobs", "POOL_QUEUE": name},
        "egress": "custom",
        "egressRules": [ledger],
        "autoscaling": {"min": 0, "max": 3, "targetWaitSeconds": TARGET} | autoscaling,
        **SMALL,
    }


def installation_values(pools: Sequence[str], *overrides: Values, **autoscaling: object) -> Values:
    """Return the values of an installation with these pools, scaled by the built-in engine."""
    own: Values = {"workers": {"pools": {"team": None} | {name: pool_values(name, **autoscaling) for name in pools}}}
    scaling: Values = {"scaling": {"engine": "builtin", "manualHold": f"{MANUAL_HOLD}s"}, "controller": {"replicas": 2}}
    return merged(team(), own, scaling, *overrides)


@contextmanager
def installed(
    namespace: Namespace, pools: Sequence[str], *overrides: Values, **autoscaling: object
) -> Generator[Installation]:
    """Install a release, and watch it from its first pod on."""
    namespace.apply(POOL_JOBS, *redis_manifests("ledger", "--save", "", "--protected-mode", "no"))
    release = Release(namespace)
    release.install(installation_values(pools, *overrides, **autoscaling))
    password = release.secret("redis-auth", "password")
    with (
        PortForward(namespace, f"{release.fullname}-redis", 6379) as here,
        PortForward(namespace, "ledger", 6379) as there,
        redis.Redis(port=here.port, password=password, socket_timeout=3) as database,
        redis.Redis(port=there.port, socket_timeout=5) as ledger,
        release.client() as client,
        Watching(release, pools, database) as watching,
    ):
        installation = Installation(release, pools, client, database, ledger, watching)
        wait_until(lambda: len(client.job_types()) == len(pools), 60, what="the pools' job types", every=0.5)
        yield installation
