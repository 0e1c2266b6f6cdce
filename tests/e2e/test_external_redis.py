"""A Redis of the user's own, which speaks TLS alone and knows Heavylift as a user with the documented rights."""

from __future__ import annotations

import re
from pathlib import Path

from tests.e2e.jobs import ended
from tests.e2e.manifests import redis, secret
from tests.e2e.namespace import Namespace
from tests.e2e.release import Release
from tests.e2e.values import TEAM_JOBS, team
from tests.integration.redis.certificates import Authority

PASSWORD = "sesame#with/odd:characters@"
RIGHTS = Path(__file__).parents[2] / "docs" / "redis.md"


def test_a_redis_with_tls_and_a_user_of_few_rights_serves_a_release(namespace: Namespace, tmp_path: Path) -> None:
    host = f"theirs.{namespace.name}.svc"
    authority = Authority(tmp_path)
    certificate = authority.certify("server", host=host).read_text()
    [rights] = re.findall(r"ACL SETUSER heavylift on '>[^']+' (.*)", RIGHTS.read_text())
    # The quotes are the shell's: an ACL file has none.
    acl = f"user default off\nuser heavylift on >{PASSWORD} {rights}\n".replace("'", "")
    files = {"server.pem": certificate, "users.acl": acl}
    tls = ("--tls-port", "6380", "--port", "0", "--tls-auth-clients", "no")
    pem = ("--tls-cert-file", "/files/server.pem", "--tls-key-file", "/files/server.pem")
    namespace.apply(
        TEAM_JOBS,
        *redis("theirs", *tls, *pem, "--tls-ca-cert-file", "/files/server.pem", "--aclfile", "/files/users.acl",
               port=6380, files=files),
        secret("redis-login", password=PASSWORD),
        secret("redis-ca", **{"ca.crt": authority.file.read_text()}),
    )  # fmt: skip
    external = {
        "host": host,
        "port": 6380,
        "username": "heavylift",
        "auth": {"existingSecret": "redis-login"},
        "tls": {"enabled": True, "caSecret": {"name": "redis-ca"}},
    }
    release = Release(namespace)
    release.install(team({"redis": {"enabled": False}, "externalRedis": external, "keyPrefix": "heavylift:"}))
    with release.client() as client:
        [job] = ended(client, [client.submit("team.rest", {"seconds": 0.1}).id])
    assert job.status == "succeeded"
    assert not release.pods("redis")
    for component in ("api", "worker", "controller"):
        for pod in release.pods(component):
            assert "NOPERM" not in namespace.logs(pod.metadata.name)
