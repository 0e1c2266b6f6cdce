"""With the guard, Kubernetes itself deletes no worker that was not drained; a pool in shadow changes nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import NamespaceFactory
from tests.e2e.jobs import ended, running
from tests.e2e.scaling.installation import Installation, installed, pool_values
from tests.e2e.scaling.ledger import audit
from tests.e2e.scaling.seen import What
from tests.e2e.scaling.victims import leavings
from tests.waiting import wait_until

GUARDED, SHADOWED = "guarded", "shadowed"
LONG = 15
WORKERS = 3
QUIET = 6


@pytest.fixture(scope="module")
def installation(new_namespace: NamespaceFactory) -> Iterator[Installation]:
    shadow = {"workers": {"pools": {SHADOWED: pool_values(SHADOWED, shadow=True)}}}
    guard = {"scaling": {"guard": {"enabled": True}}}
    with (
        new_namespace("guard") as namespace,
        installed(namespace, (GUARDED, SHADOWED), guard, shadow) as installation,
    ):
        yield installation


def test_a_running_worker_is_never_deleted_before_it_is_drained_not_by_a_rollout_either(
    installation: Installation,
) -> None:
    pool, watching = GUARDED, installation.watching
    deployment = f"deployment/{installation.deployment(pool)}"
    installation.hold(pool, WORKERS)
    wait_until(lambda: len(watching.ready(pool)) == WORKERS, 60, what="the workers", every=0.2)
    old, position = set(watching.pods(pool)), watching.chronicle.position
    jobs = installation.submit(pool, *[LONG] * WORKERS)
    running(installation.client, jobs)
    installation.namespace.kubectl("set", "env", deployment, "CHANGED=yes")
    more = installation.submit(pool, *[0.2] * 20)
    installation.namespace.kubectl("rollout", "status", deployment, "--timeout=150s", timeout=160)
    wait_until(lambda: not old & set(watching.pods(pool)), 60, what="the old workers' end", every=0.2)
    # A person's own scale-in chooses no victim that runs a job.
    installation.let_go(pool)
    jobs += installation.submit(pool, *[LONG] * 2)
    running(installation.client, jobs[-2:])
    installation.namespace.kubectl("scale", deployment, "--replicas=1")
    verdict_of = ended(installation.client, jobs + more)
    assert {job.status for job in verdict_of} == {"succeeded"}
    verdict = audit(installation.database, installation.ledger, [pool], jobs + more)
    assert verdict.clean, verdict
    left = [each for each in leavings(watching.chronicle.since(position)) if each.seen.pool == pool]
    assert len(left) >= WORKERS
    assert [str(each) for each in left if not each.drained] == []


def test_a_pool_in_shadow_says_what_it_would_do_and_leaves_the_number_to_another_autoscaler(
    installation: Installation,
) -> None:
    pool, kubectl = SHADOWED, installation.namespace.kubectl
    name = installation.deployment(pool)
    kubectl("autoscale", f"deployment/{name}", "--min=1", "--max=3", "--cpu=80%")
    position = installation.watching.chronicle.position
    jobs = installation.submit(pool, *[2.0] * 12)
    said = installation.wait_for_status(pool, lambda said: said["desired"] > said["current"], what="a wish")
    assert said["shadow"]
    until = time.monotonic() + QUIET
    wait_until(lambda: time.monotonic() > until, QUIET + 5, every=0.5)
    assert [
        seen
        for seen in installation.watching.chronicle.since(position)
        if seen.pool == pool and seen.what in {What.SCALED, What.MARKED, What.COSTED}
    ] == []
    assert {job.status for job in ended(installation.client, jobs)} == {"succeeded"}
