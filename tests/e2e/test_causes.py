"""Installations that cannot work: what the user sees names the cause."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from heavylift.client import ApiUnavailable, Client
from tests.e2e.commands import CommandFailed
from tests.e2e.jobs import ended
from tests.e2e.manifests import redis, secret
from tests.e2e.namespace import Namespace
from tests.e2e.release import Release
from tests.e2e.small_volume import small_volume
from tests.e2e.values import TEAM_JOBS, team
from tests.waiting import wait_until

MEBIBYTE = 1 << 20


def test_a_wrong_redis_password_is_what_every_service_ends_with(namespace: Namespace) -> None:
    namespace.apply(TEAM_JOBS, *redis("theirs", "--requirepass", "right"), secret("redis-login", password="wrong"))
    external = {"host": "theirs", "auth": {"existingSecret": "redis-login"}}
    release = Release(namespace)
    release.install(team({"redis": {"enabled": False}, "externalRedis": external}), wait=False)
    for component in ("api", "controller", "worker"):
        said = wait_until(lambda part=component: release.last_words(part), 60, what=f"the end of {component}", every=1)
        assert "password" in said
        assert "HEAVYLIFT_REDIS_PASSWORD_FILE" in said


def test_an_image_that_does_not_exist_is_named(namespace: Namespace) -> None:
    release = Release(namespace)
    with pytest.raises(CommandFailed) as failed:
        release.install(team({"api": {"image": {"tag": "no-such-tag"}}}, jobs=[]), timeout=20)
    assert f"{release.fullname}-api" in failed.value.output
    [pod] = release.pods("api")
    assert "heavylift/api:no-such-tag" in namespace.kubectl("describe", "pod", pod.metadata.name)
    assert pod.status.container_statuses[0].state.waiting.reason in {"ErrImagePull", "ImagePullBackOff"}


def test_a_full_artifact_volume_is_named_to_the_uploader_and_in_the_job(namespace: Namespace, tmp_path: Path) -> None:
    namespace.apply(TEAM_JOBS)
    release = Release(namespace)
    with small_volume(namespace, "files", 8) as volume:
        release.install(team({"artifacts": {"pvc": {"existingClaim": volume.claim}}}))
        with release.client() as client:
            [job] = ended(client, [client.submit("team.publish", {"mebibytes": 16}).id])
            assert job.status == "failed"
            assert job.error
            assert "space" in job.error.message
            large = tmp_path / "large.bin"
            large.write_bytes(os.urandom(MEBIBYTE) * 16)
            with release.client(retries=0) as hasty, pytest.raises(ApiUnavailable, match="storage"):
                hasty.upload(large, "team.swallow")
            assert "No space left on device" in _warning_of(release, "storage_unavailable")
            volume.resize(64)
            [job] = ended(client, [client.submit("team.publish", {"mebibytes": 16}).id])
            assert job.status == "succeeded"


def test_a_full_redis_volume_refuses_jobs_with_the_reason_until_there_is_room(namespace: Namespace) -> None:
    namespace.apply(TEAM_JOBS)
    release = Release(namespace)
    with small_volume(namespace, "redis-data", 12) as volume:
        release.install(team({"redis": {"persistence": {"existingClaim": volume.claim}}}))
        namespace.kubectl("scale", f"deployment/{release.fullname}-worker-team", "--replicas=0")
        with release.client(retries=0) as client:
            with pytest.raises(ApiUnavailable, match="Redis") as refused:
                _submit_megabytes(client, 80)
            assert refused.value.retry_after
            assert "No space left on device" in _warning_of(release, "store_unavailable")
            volume.resize(256)
            job = wait_until(lambda: _accepted(client), 60, what="an accepted job", every=1)
        namespace.kubectl("scale", f"deployment/{release.fullname}-worker-team", "--replicas=1")
        with release.client() as client:
            assert client.wait(job, timeout=120).status == "succeeded"


def _warning_of(release: Release, event: str) -> str:
    """Return the reason that the API's log gives for its newest warning of the kind."""
    [pod] = release.pods("api")
    lines = [line for line in release.namespace.logs(pod.metadata.name).splitlines() if line.startswith("{")]
    return [entry["reason"] for entry in map(json.loads, lines) if entry["event"] == event][-1]


def _submit_megabytes(client: Client, megabytes: int) -> None:
    for _ in range(2 * megabytes):
        client.submit("team.rest", {"seconds": 0, "padding": os.urandom(250_000).hex()})


def _accepted(client: Client) -> str | None:
    try:
        return client.submit("team.rest", {"seconds": 0}).id
    except ApiUnavailable:
        return None
