"""The Secrets the chart writes are what the services read."""

from hashlib import sha256
from pathlib import Path

import pytest

from heavylift_api.auth import ApiKeys
from heavylift_flower.settings import FlowerSettings
from tests.chart.helm import Helm
from tests.chart.kube import Secret
from tests.chart.release import parse
from tests.chart.values import SECRETS, merged


def test_the_api_knows_the_key_that_callers_find(helm4: Helm):
    named = merged(SECRETS, {"api": {"apiKeys": {"name": "ci"}}})
    secret = parse(helm4.template(named)).get(Secret, "demo-heavylift-api-keys").plain()
    assert ApiKeys.parse(secret["keys"]).owner(secret["key"]) == "ci"
    assert sha256(b"an-api-key-of-the-tests").hexdigest() in secret["keys"]


def test_a_name_that_its_service_would_not_take_is_refused(helm: Helm):
    for name in ("a:b", "a,b", ""):
        assert "/api/apiKeys/name" in helm.refusal(merged(SECRETS, {"api": {"apiKeys": {"name": name}}}))
    for name in ("a:b", "#a", ""):
        assert "/flower/auth/username" in helm.refusal(merged(SECRETS, {"flower": {"auth": {"username": name}}}))


@pytest.mark.parametrize("password", ["a-flower-password", "with:colon", "ünïcode €"])
def test_flower_lets_in_whom_the_secret_names(helm4: Helm, tmp_path: Path, password: str):
    values = merged(SECRETS, {"flower": {"auth": {"username": "me", "password": password}}})
    auth = tmp_path / "auth"
    auth.write_text(parse(helm4.template(values)).get(Secret, "demo-heavylift-flower-auth").plain()["auth"])
    assert FlowerSettings(flower_host="0.0.0.0", flower_basic_auth_file=auth).users() == [f"me:{password}"]


def test_flower_is_open_only_where_that_was_said(helm4: Helm):
    def environment(auth: dict) -> set[str]:
        (flower,) = parse(helm4.template(merged(SECRETS, {"flower": {"auth": auth}}))).of_component("flower")
        return {variable.name for variable in flower.spec.containers[0].env}

    assert "HEAVYLIFT_FLOWER_OPEN" not in environment({})
    assert "HEAVYLIFT_FLOWER_BASIC_AUTH_FILE" in environment({})
    assert "HEAVYLIFT_FLOWER_OPEN" in environment({"enabled": False})
    assert "HEAVYLIFT_FLOWER_BASIC_AUTH_FILE" not in environment({"enabled": False})


def test_a_secret_of_ones_own_is_used_and_none_is_written(helm4: Helm):
    mine = {"existingSecret": "mine"}
    values = {"api": {"apiKeys": mine}, "flower": {"auth": mine}, "redis": {"auth": mine}}
    release = parse(helm4.template(values))
    assert not release.of(Secret)
    for run in release.runs():
        named = {volume.secret.secret_name for volume in run.spec.volumes if volume.secret}
        assert named == {"mine"}, run.id
