"""Values that the schema takes but that cannot work: rendering ends with a sentence that names value and remedy."""

from typing import Any

import pytest

from tests.chart.helm import Helm
from tests.chart.values import SECRETS, merged

S3 = {"type": "s3", "s3": {"bucket": "films"}}
EXTERNAL = {"redis": {"enabled": False}, "externalRedis": {"host": "redis.example"}}
WINDOW = {"cron": "0 8 * * *", "duration": "1h", "min": 1}


def _pool(settings: dict[str, Any]) -> dict[str, Any]:
    return {"workers": {"pools": {"video": settings}}}


@pytest.mark.parametrize("missing", ["redis.auth", "api.apiKeys", "flower.auth"])
def test_a_secret_cannot_be_made_up_without_a_cluster(helm: Helm, missing: str):
    part, _ = missing.split(".")
    values = {key: value for key, value in SECRETS.items() if key != part}
    refusal = helm.refusal(values)
    assert f"{missing}.existingSecret is empty" in refusal
    assert "made up without a cluster" in refusal
    helm.template(merged(values, {part: {missing.split(".")[1]: {"existingSecret": "mine"}}}))


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            _pool({"grace": "10m", "terminationGracePeriodSeconds": 605}),
            "terminationGracePeriodSeconds is 605, but workers.pools.video.grace is 10m, and a worker needs 10 s more",
        ),
        (
            {"api": {"shutdownGrace": "1m", "preStopSleepSeconds": 10, "terminationGracePeriodSeconds": 70}},
            "goes on for 70 s: api.preStopSleepSeconds (10), then api.shutdownGrace (1m). Raise it above 70, or set",
        ),
        (_pool({"queues": []}), "workers.pools.video.queues is empty, so the pool would serve nothing."),
        (
            _pool({"env": {"HEAVYLIFT_WORKER_NAME": "me"}}),
            "workers.pools.video.env sets HEAVYLIFT_WORKER_NAME, by which the controller knows whose pod holds jobs.",
        ),
        (_pool({"env": {"HEAVYLIFT_POOL": "images"}}), "env sets HEAVYLIFT_POOL, by which the controller knows"),
        (
            {"workers": {"defaults": {"env": {"HEAVYLIFT_QUEUES": "images"}}}},
            "Take it out: name the queues in workers.pools.video.queues.",
        ),
        (
            _pool({"egress": "custom"}),
            "workers.pools.video.egress is custom, but workers.pools.video.egressRules is empty",
        ),
        (
            _pool({"egressRules": [{}]}),
            "workers.pools.video.egressRules is set, but workers.pools.video.egress is none",
        ),
        (
            {"scaling": {"engine": "hpa"}, **_pool({"autoscaling": {"min": 0}})},
            "workers.pools.video.autoscaling.min is 0, which scaling.engine hpa cannot do",
        ),
        (
            {"scaling": {"engine": "keda"}, **_pool({"autoscaling": {"min": 5, "max": 4}})},
            "workers.pools.video.autoscaling.min is 5, above workers.pools.video.autoscaling.max, which is 4.",
        ),
        (
            {"scaling": {"engine": "hpa"}, **_pool({"autoscaling": {"hpa": {"cpu": None}}})},
            "workers.pools.video.autoscaling.hpa has neither cpu nor memory to go by.",
        ),
        (
            {"scaling": {"engine": "hpa"}, **_pool({"resources": {"requests": {"cpu": None}}})},
            "autoscaling.hpa.cpu is a share of workers.pools.video.resources.requests.cpu, which is not set. Set it.",
        ),
        (
            _pool({"autoscaling": {"min": 5, "max": 4}}),
            "workers.pools.video.autoscaling.min is 5, above workers.pools.video.autoscaling.max, which is 4.",
        ),
        (
            _pool({"autoscaling": {"minIdle": 11}}),
            "workers.pools.video.autoscaling.minIdle is 11, above workers.pools.video.autoscaling.max, which is 10.",
        ),
        (
            _pool({"autoscaling": {"windows": [WINDOW, {**WINDOW, "min": 11}]}}),
            "workers.pools.video.autoscaling.windows[1].min is 11, above workers.pools.video.autoscaling.max",
        ),
        (
            _pool({"autoscaling": {"windows": [{**WINDOW, "duration": "0h"}]}}),
            "workers.pools.video.autoscaling.windows[0].duration is 0h, so the window is never open.",
        ),
        (
            _pool({"queues": ["video", "films"], "autoscaling": {"queues": {"film": {"priority": 1}}}}),
            "autoscaling.queues names film, which is none of workers.pools.video.queues (video, films).",
        ),
        (
            {"api": {"autoscaling": {"enabled": True, "min": 11}}},
            "api.autoscaling.min is 11, above api.autoscaling.max",
        ),
        (
            {"redis": {"enabled": False}},
            "redis.enabled is false, and nothing says where Redis is. Set externalRedis.host,",
        ),
        ({"externalRedis": {"host": "redis.example"}}, "redis.enabled is true and externalRedis names another Redis."),
        (
            merged(EXTERNAL, {"externalRedis": {"urlSecret": {"name": "url"}}}),
            "externalRedis.host is set beside externalRedis.sentinel.nodes or externalRedis.urlSecret.name",
        ),
        (
            {
                "redis": {"enabled": False},
                "externalRedis": {"urlSecret": {"name": "url"}},
                "scaling": {"engine": "keda"},
                **_pool({"autoscaling": {"keda": {"mode": "simple"}}}),
            },
            "autoscaling.keda.mode is simple, and KEDA reads no URL from a Secret.",
        ),
        (
            {"redis": {"resources": {"limits": {"memory": None}}}},
            "redis.resources.limits.memory is not set, so redis.maxmemoryPercent has nothing to be a share of.",
        ),
        (
            {"redis": {"maxmemory": "2gb"}},
            "redis.maxmemory is 2gb, which is above redis.resources.limits.memory, 512Mi: Redis would be killed",
        ),
        ({"redis": {"maxmemory": "0"}}, "redis.maxmemory is 0, which Redis takes for no limit"),
        ({"artifacts": {"type": "s3"}}, "artifacts.type is s3, but artifacts.s3.bucket is empty."),
        ({"artifacts": {"s3": {"bucket": "films"}}}, "artifacts.s3.bucket is set, but artifacts.type is pvc."),
        (
            {"artifacts": merged(S3, {"s3": {"accessKeyId": "AKIA"}})},
            "Of artifacts.s3.accessKeyId and artifacts.s3.secretAccessKey only one is set.",
        ),
        ({"api": {"ingress": {"enabled": True}}}, "api.ingress.enabled is true, but api.ingress.hosts is empty."),
        ({"flower": {"httpRoute": {"enabled": True}}}, "flower.httpRoute.parentRefs is empty. Name the gateway"),
    ],
    ids=lambda value: value.split(",")[0][:60] if isinstance(value, str) else "",
)
def test_what_cannot_work_is_refused_with_the_remedy(helm: Helm, values: dict[str, Any], sentence: str):
    assert sentence in helm.refusal(merged(SECRETS, values))


@pytest.mark.parametrize("name", ["Films", "1st", "two_words", "a.b", "last-", "", "a" * 31])
def test_what_is_no_name_of_a_pool_is_refused(helm: Helm, name: str):
    values = merged(SECRETS, {"workers": {"pools": {name: {"queues": ["films"]}}}})
    assert f'workers.pools.{name}: "{name}" is no name of a pool. Write lower case letters' in helm.refusal(values)


def test_all_that_is_wrong_is_said_at_once(helm: Helm):
    refusal = helm.refusal({"artifacts": {"type": "s3"}})
    parts = (
        "redis.auth.existingSecret",
        "api.apiKeys.existingSecret",
        "flower.auth.existingSecret",
        "artifacts.s3.bucket",
    )
    assert [part for part in parts if part not in refusal] == []


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({"scaling": {"engine": "keda"}}, "keda.sh/v1alpha1/ScaledObject"),
        ({"monitoring": {"serviceMonitor": {"enabled": True}}}, "monitoring.coreos.com/v1/ServiceMonitor"),
        ({"monitoring": {"podMonitor": {"enabled": True}}}, "monitoring.coreos.com/v1/PodMonitor"),
        (
            {"api": {"httpRoute": {"enabled": True, "parentRefs": [{"name": "gateway"}]}}},
            "gateway.networking.k8s.io/v1/HTTPRoute",
        ),
    ],
    ids=lambda value: value.rpartition("/")[2] if isinstance(value, str) else "",
)
def test_a_kind_that_the_cluster_does_not_know_is_refused(helm: Helm, values: dict[str, Any], kind: str):
    cluster = ("--api-versions", "v1/Pod")
    refusal = helm.refusal(merged(SECRETS, values), options=cluster)
    assert f"the cluster does not know {kind}. Install" in refusal
    helm.template(merged(SECRETS, values), options=(*cluster, "--api-versions", kind))


def test_an_old_cluster_is_refused(helm: Helm):
    assert "requires kubeVersion: >=1.30.0-0" in helm.refusal(SECRETS, options=("--kube-version", "v1.29.9"))
