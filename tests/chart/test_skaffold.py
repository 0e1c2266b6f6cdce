"""skaffold.yaml keeps to Skaffold's schema, builds what the chart runs, and sets values that the chart has."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from tests.chart.helm import Helm
from tests.chart.values import DEFAULTS, SECRETS, at, merged

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((Path(__file__).parent / "schemas/skaffold-v4beta13.json").read_text())
TEXT = (ROOT / "skaffold.yaml").read_text()
CONFIG: dict[str, Any] = yaml.safe_load(TEXT)
RELEASE: dict[str, Any] = CONFIG["deploy"]["helm"]["releases"][0]
ARTIFACTS = {artifact["image"]: artifact["docker"] for artifact in CONFIG["build"]["artifacts"]}
PROFILES = {profile["name"]: profile for profile in CONFIG["profiles"]}


def patch(profile: str, path: str) -> Any:
    """Return what a profile puts at a path of the configuration, or None."""
    return next((one["value"] for one in PROFILES[profile]["patches"] if one["path"] == path), None)


def profile_values(profile: str) -> dict[str, Any]:
    """Return the values of the chart that a profile sets."""
    files = patch(profile, "/deploy/helm/releases/0/valuesFiles") or []
    settings = patch(profile, "/deploy/helm/releases/0/setValues") or {}
    return merged(
        *(yaml.safe_load((ROOT / file).read_text()) for file in files),
        *(at(tuple(name.split(".")), value) for name, value in settings.items()),
    )


def default(name: str) -> Any:
    """Return a default of the chart by its dotted name."""
    found: Any = DEFAULTS
    for key in name.split("."):
        assert isinstance(found, dict)
        assert key in found, name
        found = found[key]
    return found


def test_it_keeps_to_skaffolds_schema():
    validator = jsonschema_rs.validator_for(SCHEMA)
    assert not [f"{error.instance_path}: {error.message}" for error in validator.iter_errors(CONFIG)]
    assert not validator.is_valid(CONFIG | {"bulid": {}})


def test_an_artifact_is_a_target_of_a_dockerfile():
    for image, docker in ARTIFACTS.items():
        dockerfile = (ROOT / docker["dockerfile"]).read_text()
        stages = re.findall(r"^FROM .* AS (\S+)$", dockerfile, re.MULTILINE)
        assert docker.get("target") in (None, *stages), image


def test_every_image_of_the_chart_is_the_one_that_was_built():
    templates = RELEASE["setValueTemplates"]
    places = {name.removesuffix(".repository") for name in templates if name.endswith(".repository")}
    built = {place: default(f"{place}.repository") for place in places}

    assert set(built.values()) == set(ARTIFACTS)
    for place, image in built.items():
        name = re.sub(r"\W", "_", image)
        for key, variable in {"repository": "REPO", "tag": "TAG", "digest": "DIGEST"}.items():
            assert templates[f"{place}.{key}"] == f"{{{{.IMAGE_{variable}_{name}}}}}"


def test_images_that_skaffold_names_are_those_of_the_pods(helm4: Helm):
    values = merged(
        SECRETS,
        *(
            at(tuple(name.split(".")), "" if name.endswith("digest") else "built")
            for name in RELEASE["setValueTemplates"]
        ),
    )
    images = set(re.findall(r"image: \"?([^\"\n]+)", helm4.template(values)))
    assert {image for image in images if not image.startswith("redis:")} == {"built:built"}


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_renders_and_says_when_to_use_it(profile: str, helm4: Helm):
    values = profile_values(profile)
    assert values
    assert helm4.template(merged(SECRETS, values)) != helm4.template(SECRETS)
    comment = TEXT[: TEXT.index(f"- name: {profile}\n")].rpartition("\n\n")[2]
    assert "# Use this" in comment


def test_there_is_a_profile_for_each_purpose():
    assert set(PROFILES) == {"dev", "ci", "keda", "debug"}


def test_forwarded_services_are_in_the_release(helm4: Helm):
    objects = yaml.safe_load_all(helm4.template(SECRETS, release=RELEASE["name"], namespace=RELEASE["namespace"]))
    ports = {
        (one["metadata"]["name"], one["metadata"]["namespace"], port["port"])
        for one in objects
        if one["kind"] == "Service"
        for port in one["spec"]["ports"]
    }
    for forward in CONFIG["portForward"]:
        assert (forward["resourceName"], forward["namespace"], forward["port"]) in ports
