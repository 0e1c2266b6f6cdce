"""With the guard, Kubernetes itself deletes no worker that was not drained."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.conftest import NamespaceFactory
from tests.e2e.jobs import ended, running
from tests.e2e.scaling.installation import Installation, installed
from tests.e2e.scaling.ledger import audit
from tests.e2e.scaling.victims import leavings
from tests.waiting import wait_until

POOL = "guarded"
LONG = 15
WORKERS = 3


@pytest.fixture(scope="module")
def installation(new_namespace: NamespaceFactory) -> Iterator[Installation]:
    guard = {"scaling": {"guard": {"enabled": True}}}
    with new_namespace("guard") as namespace, installed(namespace, (POOL,), guard) as installation:
        yield installation


def test_a_running_worker_is_never_deleted_before_it_is_drained_not_by_a_rollout_either(
    installation: Installation,
) -> None:
    pool, watching = POOL, installation.watching
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
