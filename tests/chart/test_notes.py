"""What is printed after an install: the next commands, about objects that are there, and what one should mind."""

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

from tests.chart.helm import CHART, NAMESPACE, Helm, Values
from tests.chart.kube import ConfigMap, Deployment, PersistentVolumeClaim, Secret, Service
from tests.chart.release import Release, parse
from tests.chart.values import SECRETS, merged

TWO_POOLS = merged(SECRETS, {"workers": {"pools": {"images": {"queues": ["images"]}}}})


class Notes:
    """Prints the notes. `helm template` leaves them out and Helm 3 prints them with a cluster only: a template beside
    them in a copy of the chart includes them."""

    def __init__(self, folder: Path) -> None:
        self.chart = folder / "heavylift"
        shutil.copytree(CHART, self.chart)
        (self.chart / "templates" / "as-object.yaml").write_text(
            'notes: {{ include "heavylift/templates/NOTES.txt" . | toJson }}'
        )

    def __call__(self, helm: Helm, values: Path | Values) -> str:
        only = ("--show-only", "templates/as-object.yaml")
        return yaml.safe_load(helm.template(values, chart=self.chart, options=only))["notes"]


@pytest.fixture(scope="module")
def notes(tmp_path_factory) -> Notes:
    return Notes(tmp_path_factory.mktemp("chart"))


def test_every_command_is_for_this_namespace_and_about_what_is_there(notes: Notes, helm: Helm, values: Path):
    release, text = parse(helm.template(values)), notes(helm, values)
    pools = {pool["resource"] for pool in _told(release)}
    for command in re.findall(r"^    (?:export \w+=\$\()?(kubectl [^|&#)\n]*)", text, re.MULTILINE):
        assert f"--namespace {NAMESPACE}" in command
        for kind, name in re.findall(r"\b(deployment|service)/(\S+)", command):
            release.get({"deployment": Deployment, "service": Service}[kind], name)
        assert set(re.findall(r"\bworkerpool/(\S+)", command)) <= pools


def test_keys_and_passwords_are_fetched_from_where_they_are(notes: Notes, helm: Helm, values: Path):
    release, text = parse(helm.template(values)), notes(helm, values)
    fetched = re.findall(r"get secret (\S+) -o jsonpath='\{\.data\.(\S+)\}' \| base64 -d", text)
    assert fetched
    rendered = {secret.name: secret.data for secret in release.of(Secret)}
    mounted = {volume.secret.secret_name for run in release.runs() for volume in run.spec.volumes if volume.secret}
    for name, key in fetched:
        assert name in mounted
        assert name not in rendered or key.replace("\\.", ".") in rendered[name]


def test_the_forwarded_port_is_the_services(notes: Notes, helm: Helm):
    values = merged(SECRETS, {"api": {"service": {"port": 80}}, "flower": {"service": {"port": 81}}})
    text = notes(helm, values)
    assert "port-forward service/demo-heavylift-api 8000:80 " in text
    assert "port-forward service/demo-heavylift-flower 5555:81" in text


def test_without_an_engine_it_says_how_to_scale_each_pool(notes: Notes, helm: Helm):
    text = notes(helm, merged(TWO_POOLS, {"scaling": {"engine": "none"}}))
    for pool in ("video", "images"):
        assert f"kubectl --namespace work scale deployment/demo-heavylift-worker-{pool} --replicas=" in text


@pytest.mark.parametrize(
    ("engine", "objects"),
    [("builtin", "workerpools"), ("hpa", "horizontalpodautoscalers"), ("keda", "scaledobjects")],
    ids=["builtin", "hpa", "keda"],
)
def test_with_an_engine_it_says_how_to_watch_it(notes: Notes, helm: Helm, engine: str, objects: str):
    text = notes(helm, merged(TWO_POOLS, {"scaling": {"engine": engine}}))
    assert f"kubectl --namespace work get {objects}" in text
    assert "scale deployment/" not in text  # it would be undone


@pytest.mark.parametrize(
    ("scaling", "seen", "held"),
    [
        ({"engine": "builtin"}, True, True),
        ({"engine": "builtin", "shadow": True}, True, False),
        ({"engine": "hpa", "shadow": True}, True, False),
        ({"engine": "none"}, False, False),
    ],
    ids=str,
)
def test_it_says_how_to_see_and_hold_a_pool_where_that_is_heard(
    notes: Notes, helm4: Helm, scaling: dict[str, object], seen: bool, held: bool
):
    text = notes(helm4, merged(TWO_POOLS, {"scaling": scaling}))
    assert ("get workerpools" in text) is seen
    assert ("scale workerpool/demo-heavylift-images --replicas=3" in text) is held
    assert ("""patch='{"spec":{"replicas":null}}'""" in text) is held


def test_the_address_is_the_ingress_if_there_is_one(notes: Notes, helm: Helm):
    ingress = {"enabled": True, "hosts": ["jobs.example"], "path": "/api", "tls": [{"hosts": ["jobs.example"]}]}
    text = notes(helm, merged(SECRETS, {"api": {"ingress": ingress}}))
    assert "HEAVYLIFT_URL=https://jobs.example/api\n" in text
    assert "port-forward service/demo-heavylift-api" not in text


def test_the_test_is_named_if_there_is_one(notes: Notes, helm: Helm):
    assert "helm test demo --namespace work" in notes(helm, SECRETS)
    assert "helm test" not in notes(helm, merged(SECRETS, {"test": {"enabled": False}}))


@pytest.mark.parametrize(
    ("values", "warning"),
    [
        ({}, "all run on that node"),
        ({}, "can be read with `helm get values`"),
        ({"redis": {"persistence": {"enabled": False}}}, "all jobs are lost"),
        ({"flower": {"auth": {"enabled": False}}}, "Flower asks for no password"),
        ({"networkPolicy": {"enabled": False}}, "No NetworkPolicies"),
        (
            {
                "scaling": {"engine": "keda"},
                "workers": {"pools": {"video": {"autoscaling": {"keda": {"mode": "simple"}}}}},
            },
            "KEDA does not see running jobs (video)",
        ),
        (
            {
                "scaling": {"engine": "keda"},
                "workers": {"pools": {"video": {"autoscaling": {"keda": {"triggers": [{"type": "cron"}]}}}}},
            },
            "The triggers of workers.pools.video.autoscaling.keda are left out",
        ),
        ({"redis": {"enabled": False}, "externalRedis": {"host": "redis.example"}}, "without a password"),
        ({"redis": {"enabled": False}, "externalRedis": {"urlSecret": {"name": "url"}}}, "reach port 6379 alone"),
        ({"flower": {"ingress": {"enabled": True, "hosts": ["flower.example"]}}}, "no Ingress controller or gateway"),
        ({"artifacts": {"pvc": {"sameNode": False}}}, "hang in ContainerCreating"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_it_says_what_one_should_mind(notes: Notes, helm: Helm, values: Values, warning: str):
    assert warning in notes(helm, merged(SECRETS, values))


def test_a_careful_install_has_nothing_to_mind(notes: Notes, helm: Helm):
    secret = {"existingSecret": "mine"}
    values = {
        "api": {"apiKeys": secret},
        "flower": {"auth": secret},
        "redis": {"auth": secret},
        "artifacts": {"type": "s3", "s3": {"bucket": "films"}},
    }
    assert "Mind:" not in notes(helm, values)


def test_it_names_the_claims_that_outlive_the_release(notes: Notes, helm: Helm):
    release = parse(helm.template(SECRETS))
    text = notes(helm, SECRETS).partition("helm uninstall")[2]
    assert _kept(release)
    assert all(claim in text for claim in _kept(release))
    kept_by_nobody = {"redis": {"persistence": {"retentionPolicy": {"whenDeleted": "Delete"}}}}
    kept_by_nobody = merged(SECRETS, kept_by_nobody, {"artifacts": {"pvc": {"retain": False}}})
    assert "claim" not in notes(helm, kept_by_nobody).partition("helm uninstall")[2]


def _told(release: Release) -> list[dict[str, str]]:
    """Return the pools that the controller is told of."""
    files = [one.data["pools.json"] for one in release.of(ConfigMap) if "pools.json" in one.data]
    return [pool for file in files for pool in json.loads(file)["pools"].values()]


def _kept(release: Release) -> list[str]:
    return [
        claim.name
        for claim in release.of(PersistentVolumeClaim)
        if claim.metadata.annotations.get("helm.sh/resource-policy") == "keep"
    ] + ["data-demo-heavylift-redis-0"]
