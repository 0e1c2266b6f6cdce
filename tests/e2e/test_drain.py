"""A node is drained: evictions, as `kubectl drain` asks for them."""

from __future__ import annotations

from kubernetes.client import V1Eviction, V1ObjectMeta
from kubernetes.client.rest import ApiException

from tests.e2e.jobs import ended, running, started_again
from tests.e2e.namespace import Namespace
from tests.e2e.release import Release
from tests.e2e.values import TEAM_JOBS, team
from tests.waiting import wait_until

GRACE = 12
TOO_MANY_REQUESTS = 429


def test_evictions_respect_the_budget_and_cost_no_attempt(namespace: Namespace) -> None:
    namespace.apply(TEAM_JOBS)
    release = Release(namespace)
    # Where pods have to share a node there is no budget; this cluster has one node in any case.
    release.install(team({"artifacts": {"pvc": {"sameNode": False}}}, grace=f"{GRACE}s"))
    deployment = f"deployment/{release.fullname}-worker-team"
    namespace.kubectl("scale", deployment, "--replicas=2")
    namespace.kubectl("rollout", "status", deployment, "--timeout=60s")
    with release.client() as client:
        jobs = [client.submit("team.rest", {"seconds": seconds}).id for seconds in (GRACE / 2, 60)]
        short, long = running(client, jobs)
        first, second = short.attempts[0].worker, long.attempts[0].worker
        assert _evicted(namespace, first)
        assert not _evicted(namespace, second), "the budget lets two of two workers go at the same time"
        wait_until(lambda: _evicted(namespace, second), 60, what="leave to evict the second worker", every=0.3)
        [short] = ended(client, [short.id])
        long = started_again(client, long.id)
        client.cancel(long.id)
    assert short.status == "succeeded"
    assert [(attempt.worker, attempt.outcome) for attempt in short.attempts] == [(first, "succeeded")]
    released, again = long.attempts
    assert (released.worker, released.outcome) == (second, "released")
    assert again.number == released.number == 1
    assert again.worker not in {first, second}


def _evicted(namespace: Namespace, pod: str) -> bool:
    eviction = V1Eviction(metadata=V1ObjectMeta(name=pod, namespace=namespace.name))
    try:
        namespace.cluster.core.create_namespaced_pod_eviction(pod, namespace.name, eviction)
    except ApiException as error:
        if error.status != TOO_MANY_REQUESTS:
            raise
        return False
    return True
