"""`helm upgrade` while jobs run and clients ask."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.commands import run
from tests.e2e.jobs import ended, running
from tests.e2e.namespace import Namespace
from tests.e2e.prober import probing
from tests.e2e.release import Release
from tests.e2e.values import TAG, TEAM_JOBS, team
from tests.waiting import wait_until

NEXT = f"{TAG}-next"
"""The tag of the same images under another name: enough for a changed pod."""

LONG = 25
"""Seconds a job takes that an upgrade meets half-way: longer than the rollout, shorter than the pool's grace."""


@pytest.fixture(scope="module")
def next_tag(cluster: Cluster, images: list[str]) -> Iterator[str]:
    later = [image.replace(f":{TAG}", f":{NEXT}") for image in images]
    for image, other in zip(images, later, strict=True):
        run("docker", "tag", image, other)
    cluster.load(later)
    yield NEXT
    run("docker", "rmi", *later)


@pytest.fixture
def release(namespace: Namespace) -> Release:
    namespace.apply(TEAM_JOBS)
    release = Release(namespace)
    release.install(team({"api": {"replicas": 2}}))
    deployment = f"deployment/{release.fullname}-worker-team"
    namespace.kubectl("scale", deployment, "--replicas=2")
    namespace.kubectl("rollout", "status", deployment, "--timeout=60s")
    return release


def test_a_new_image_interrupts_no_job_and_no_client(release: Release, next_tag: str) -> None:
    old = {pod.metadata.name for pod in release.namespace.pods()}
    redis = [pod.metadata.uid for pod in release.pods("redis")]
    with release.client() as client:
        long = [client.submit("team.rest", {"seconds": LONG}).id for _ in range(2)]
        running(client, long)
        waiting = [client.submit("team.rest", {"seconds": 0.1}).id for _ in range(10)]
        with probing(release) as probe:
            release.upgrade(team({"api": {"replicas": 2}, "image": {"tag": next_tag}, "log": {"level": "debug"}}))
            jobs = ended(client, long + waiting)
    assert probe.failures == []
    assert [job.status for job in jobs] == ["succeeded"] * 12
    assert {len(job.attempts) for job in jobs} == {1}
    assert {attempt.worker for job in jobs[:2] for attempt in job.attempts} <= old
    assert [pod.metadata.uid for pod in release.pods("redis")] == redis
    later = {pod.metadata.name for component in ("api", "worker", "controller") for pod in release.pods(component)}
    assert not later & old


def test_while_a_changed_redis_starts_again_clients_are_asked_to_come_back(release: Release) -> None:
    [before] = [pod.metadata.uid for pod in release.pods("redis")]
    workers = release.restarts("worker")
    with release.client() as client:
        long = [client.submit("team.rest", {"seconds": LONG}).id for _ in range(2)]
        running(client, long)
        with probing(release, job_type="team.rest") as probe:
            release.upgrade(team({"api": {"replicas": 2}, "redis": {"podAnnotations": {"changed": "yes"}}}))
            wait_until(lambda: [pod.metadata.uid for pod in release.pods("redis")] != [before], 60, what="a new Redis")
            jobs = ended(client, long)
        accepted = ended(client, probe.jobs)
    assert probe.failures == probe.refused
    assert {job.status for job in jobs + accepted} == {"succeeded"}
    assert [len(job.attempts) for job in jobs] == [1, 1]
    assert release.restarts("worker") == workers
