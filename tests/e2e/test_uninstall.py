"""What stays when a release goes."""

from __future__ import annotations

from tests.e2e.namespace import Namespace
from tests.e2e.release import Release
from tests.e2e.values import TEAM_JOBS, team
from tests.waiting import wait_until


def test_an_uninstall_leaves_nothing_but_the_volumes_and_the_next_install_finds_its_jobs(namespace: Namespace) -> None:
    namespace.apply(TEAM_JOBS)
    before = namespace.everything()
    release = Release(namespace)
    release.install(team())
    with release.client() as client:
        job = client.wait(client.submit("team.rest", {"seconds": 0}).id, timeout=60)
    release.run_helm("uninstall", release.name, "--wait")
    volumes = wait_until(lambda: _only_volumes(namespace, before), 60, what="the end of everything else", every=1)
    release.install(team())
    with release.client() as client:
        assert client.get(job.id).output == job.output
    assert set(volumes) == {
        f"persistentvolumeclaim/{release.fullname}-artifacts",
        f"persistentvolumeclaim/data-{release.fullname}-redis-0",
    }


def _only_volumes(namespace: Namespace, before: list[str]) -> list[str] | None:
    left = [name for name in namespace.everything() if name not in before]
    return left if all(name.startswith("persistentvolumeclaim/") for name in left) else None
