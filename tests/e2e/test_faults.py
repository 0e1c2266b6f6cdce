"""Pods that die while jobs run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from heavylift.client import Client, JobView
from tests.e2e.conftest import NamespaceFactory
from tests.e2e.jobs import RUNNING_AGAIN, ended, running, started_again
from tests.e2e.prober import probing
from tests.e2e.release import Release
from tests.e2e.values import TEAM_JOBS, team
from tests.waiting import wait_until

KUBELET_GRACE = timedelta(seconds=2)
"""What the kubelet gives a pod between SIGTERM and SIGKILL although it was deleted with none."""

MEMORY_LIMIT = 200
"""MiB of a worker's pod."""


@dataclass
class Installation:
    """The release that these tests break, one after the other."""

    release: Release
    client: Client


@pytest.fixture(scope="module")
def installation(new_namespace: NamespaceFactory) -> Iterator[Installation]:
    with new_namespace("faults") as namespace:
        namespace.apply(TEAM_JOBS)
        release = Release(namespace)
        resources = {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"memory": f"{MEMORY_LIMIT}Mi"}}
        release.install(team(resources=resources))
        namespace.kubectl("scale", f"deployment/{release.fullname}-worker-team", "--replicas=2")
        with release.client() as client:
            yield Installation(release, client)


@pytest.fixture(autouse=True)
def two_workers(installation: Installation) -> None:
    deployment = f"deployment/{installation.release.fullname}-worker-team"
    installation.release.namespace.kubectl("rollout", "status", deployment, "--timeout=60s")


def test_redis_deleted_under_load_costs_no_job_and_no_worker(installation: Installation) -> None:
    release, client = installation.release, installation.client
    long = [client.submit("team.rest", {"seconds": 20}).id for _ in range(1)]
    running(client, long)
    before = release.restarts("worker") | release.restarts("api") | release.restarts("controller")
    [redis] = release.pods("redis")
    with probing(release, job_type="team.rest") as probe:
        release.namespace.kubectl("delete", "pod", redis.metadata.name)
        wait_until(lambda: _ready(release, unlike=redis.metadata.uid), 60, what="Redis to be back", every=0.5)
    jobs = ended(client, [*long, *probe.jobs])
    assert len(jobs) > 10
    assert {job.status for job in jobs} == {"succeeded"}
    assert [len(job.attempts) for job in jobs[:1]] == [1]
    assert probe.failures == probe.refused
    assert release.restarts("worker") | release.restarts("api") | release.restarts("controller") == before


def test_a_job_of_a_killed_pod_runs_again_within_twenty_seconds(installation: Installation) -> None:
    release, client = installation.release, installation.client
    [job] = running(client, [client.submit("team.rest", {"seconds": 30}).id])
    lost = job.attempts[0].worker
    moment = datetime.now(UTC)
    release.namespace.kubectl("delete", "pod", lost, "--grace-period=0", "--force")
    job = started_again(client, job.id)
    client.cancel(job.id)
    first, second = job.attempts
    assert (first.outcome, first.reason) == ("lost", "lease not renewed")
    assert second.worker != lost
    assert second.started_at - moment <= RUNNING_AGAIN + KUBELET_GRACE
    print(f"running again after {(second.started_at - moment).total_seconds():.1f} s")


def test_a_job_out_of_memory_runs_again_and_says_why(installation: Installation) -> None:
    release, client = installation.release, installation.client
    before = release.restarts("worker")
    job = client.submit("team.devour", {"mebibytes": 4 * MEMORY_LIMIT})
    [job] = ended(client, [job.id])
    assert job.status == "succeeded", job.error
    first, second = job.attempts
    assert first.ended_at
    assert second.started_at - first.ended_at <= RUNNING_AGAIN
    assert first.outcome == "lost"
    assert _memory_is_named(release, job, before)


def _memory_is_named(release: Release, job: JobView, before: dict[str, int]) -> bool:
    """Tell whether the attempt or, where the kernel kills all of the container, the pod says what it died of."""
    [attempt, _] = job.attempts
    if "memory" in (attempt.reason or ""):
        return release.restarts("worker") == before
    [pod] = [pod for pod in release.pods("worker") if pod.metadata.name == attempt.worker]
    return pod.status.container_statuses[0].last_state.terminated.reason == "OOMKilled"


def _ready(release: Release, *, unlike: str) -> bool:
    found = [pod for pod in release.pods("redis") if pod.metadata.uid != unlike]
    return any(status.ready for pod in found for status in pod.status.container_statuses or [])
