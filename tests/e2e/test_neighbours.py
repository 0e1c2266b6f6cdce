"""Several releases beside each other."""

from __future__ import annotations

from tests.e2e.jobs import ended
from tests.e2e.manifests import redis, secret
from tests.e2e.namespace import Namespace
from tests.e2e.release import Release
from tests.e2e.values import TEAM_JOBS, Values, team
from tests.waiting import wait_until

PASSWORD = "a password: with signs@in/it?"
THEIRS: Values = {
    "redis": {"enabled": False},
    "externalRedis": {"host": "theirs", "auth": {"existingSecret": "redis-login", "existingSecretKey": "password"}},
}


def test_two_releases_in_one_namespace_keep_to_themselves(namespace: Namespace) -> None:
    namespace.apply(TEAM_JOBS)
    blue, green = Release(namespace, "blue"), Release(namespace, "green")
    blue.install(team())
    green.install(team())
    for release in (blue, green):
        _works(release)
    green.run_helm("uninstall", green.name, "--wait")
    wait_until(lambda: not _things_of(green), 60, what="the end of one release", every=1)
    _works(blue)


def test_a_second_release_on_one_redis_is_refused_and_told_what_to_do(namespace: Namespace) -> None:
    namespace.apply(
        TEAM_JOBS,
        *redis("theirs", "--requirepass", PASSWORD),
        secret("redis-login", password=PASSWORD),
    )
    first, second = Release(namespace, "first"), Release(namespace, "second")
    first.install(team(THEIRS))
    second.install(team(THEIRS), wait=False)
    for component in ("api", "controller", "worker"):
        said = wait_until(lambda part=component: second.last_words(part), 60, what=f"the end of {component}", every=1)
        assert f"{namespace.name}/first" in said
        assert "HEAVYLIFT_KEY_PREFIX" in said
    second.upgrade(team(THEIRS, {"keyPrefix": "second:"}))
    for release in (first, second):
        _works(release)


def _works(release: Release) -> None:
    """Run a job: on a worker of the release's own, and known to nobody else."""
    with release.client() as client:
        [job] = ended(client, [client.submit("team.rest", {"seconds": 0.1}).id])
        assert [attempt.worker for attempt in job.attempts] == [pod.metadata.name for pod in release.pods("worker")]
        assert {each.queue for each in client.list().items} == {"team"}


def _things_of(release: Release) -> list[str]:
    """Return what there is of a release but its volumes."""
    found = release.namespace.everything()
    return [name for name in found if f"/{release.fullname}" in name and not name.startswith("persistentvolumeclaim/")]
