"""The release's pods reach what they need and nothing else, and nobody else reaches them."""

import pytest

from tests.chart.helm import Helm, Values
from tests.chart.release import POOL, Release, Run, parse
from tests.chart.traffic import (
    API_SERVER,
    DNS,
    INTERNET,
    KEDA,
    METADATA,
    NEIGHBOUR,
    PROMETHEUS,
    STRANGER,
    Connection,
    Policies,
    pod,
)
from tests.chart.values import SECRETS, merged

REDIS = 6379


@pytest.fixture
def own(helm4: Helm) -> Release:
    """The defaults: a Redis of the release's own, files in a volume, one pool."""
    return parse(helm4.template(SECRETS))


def test_every_pod_is_limited_in_both_directions(release: Release):
    policies = Policies.of(release)
    for run in release.runs():
        assert policies.guarding(pod(run), "Ingress"), f"{run.id}: anybody may reach it"
        assert policies.guarding(pod(run), "Egress"), f"{run.id}: it may reach anything"


def test_what_is_limited_belongs_to_the_release(release: Release):
    for policy in Policies.of(release).policies:
        assert not policy.spec.pod_selector.matches(NEIGHBOUR.labels), policy.id
        assert any(policy.spec.pod_selector.matches(run.labels) for run in release.runs()), f"{policy.id}: for no pod"


def test_every_pod_can_ask_for_names(release: Release):
    for run in release.runs():
        if run.component == "redis":
            continue  # it opens no connection
        for protocol in ("UDP", "TCP"):
            asks = Connection(pod(run), DNS, 53, protocol)
            assert Policies.of(release).let(asks), str(asks)


def test_whoever_needs_redis_reaches_it(release: Release):
    for redis in release.of_component("redis"):
        for component in ("api", "worker", "controller", "flower"):
            for run in release.of_component(component):
                asks = Connection(pod(run), pod(redis), REDIS)
                assert Policies.of(release).let(asks), str(asks)


def test_the_smoke_test_reaches_the_api(release: Release):
    for test in release.of_component("test"):
        for api in release.of_component("api"):
            assert Policies.of(release).let(Connection(pod(test), pod(api), 8000))


def test_prometheus_reaches_every_port_it_is_sent_to(release: Release):
    for run in release.runs():
        if run.annotations.get("prometheus.io/scrape") == "true":
            scrape = Connection(PROMETHEUS, pod(run), int(run.annotations["prometheus.io/port"]))
            assert Policies.of(release).let(scrape), str(scrape)


def test_nobody_else_reaches_redis(own: Release):
    (redis,) = own.of_component("redis")
    (test,) = own.of_component("test")
    for source in (INTERNET, STRANGER, NEIGHBOUR, PROMETHEUS, KEDA, pod(test)):
        assert not Policies.of(own).let(Connection(source, pod(redis), REDIS)), source.name


def test_nobody_but_prometheus_reaches_workers_and_controllers(own: Release):
    for run in [*own.of_component("worker"), *own.of_component("controller")]:
        for source in (INTERNET, STRANGER, NEIGHBOUR):
            assert not Policies.of(own).let(Connection(source, pod(run), 9090)), source.name
        assert Policies.of(own).let(Connection(PROMETHEUS, pod(run), 9090))
        assert not Policies.of(own).let(Connection(PROMETHEUS, pod(run), 8080))


def test_everybody_reaches_the_api_and_only_its_port(own: Release):
    (api,) = own.of_component("api")
    for source in (INTERNET, STRANGER, NEIGHBOUR):
        assert Policies.of(own).let(Connection(source, pod(api), 8000)), source.name
        assert not Policies.of(own).let(Connection(source, pod(api), 8001)), source.name


def test_flower_is_reached_from_its_namespace(own: Release):
    (flower,) = own.of_component("flower")
    assert Policies.of(own).let(Connection(NEIGHBOUR, pod(flower), 5555))
    assert not Policies.of(own).let(Connection(STRANGER, pod(flower), 5555))


def test_nothing_gets_out_unless_it_is_said(own: Release):
    for run in own.runs():
        # The controller asks the API server, which may be anywhere.
        allowed = {443, 6443} if run.component == "controller" else set()
        for target in (INTERNET, API_SERVER, METADATA, STRANGER, NEIGHBOUR):
            for port in (80, 443, 6443, REDIS):
                asks = Connection(pod(run), target, port)
                assert Policies.of(own).let(asks) == (port in allowed), str(asks)


def test_nothing_but_a_controller_that_scales_reaches_the_api_server(helm4: Helm):
    release = parse(helm4.template(merged(SECRETS, {"scaling": {"engine": "none"}})))
    for run in release.runs():
        assert not Policies.of(release).let(Connection(pod(run), API_SERVER, 443)), run.id


def test_the_place_of_the_api_server_can_be_said(helm4: Helm):
    place = {"apiServerTo": [{"ipBlock": {"cidr": f"{API_SERVER.address}/32"}}], "apiServerPorts": [6443]}
    release = parse(helm4.template(merged(SECRETS, {"networkPolicy": place})))
    controller = pod(release.of_component("controller")[0])
    assert Policies.of(release).let(Connection(controller, API_SERVER, 6443))
    assert not Policies.of(release).let(Connection(controller, API_SERVER, 443))
    assert not Policies.of(release).let(Connection(controller, INTERNET, 6443))


def test_keda_asks_the_controller_where_it_scales(helm4: Helm):
    release = parse(helm4.template(merged(SECRETS, {"scaling": {"engine": "keda"}})))
    controller = pod(release.of_component("controller")[0])
    for port in ("keda", "metrics"):  # by gRPC, or as JSON
        assert Policies.of(release).let(Connection(KEDA, controller, controller.ports[port]))
        assert not Policies.of(release).let(Connection(STRANGER, controller, controller.ports[port]))


@pytest.mark.parametrize("target", [API_SERVER, METADATA, STRANGER, NEIGHBOUR], ids=lambda party: party.name)
def test_a_pool_with_internet_reaches_nothing_private(helm4: Helm, target):
    release = parse(helm4.template(_pool({"egress": "internet"})))
    open_pool, closed_pool = pod(_of_pool(release, "open")), pod(_of_pool(release, "video"))
    assert Policies.of(release).let(Connection(open_pool, INTERNET, 443))
    assert not Policies.of(release).let(Connection(open_pool, target, 443))
    assert not Policies.of(release).let(Connection(closed_pool, INTERNET, 443))


def test_a_pool_with_rules_of_its_own_reaches_what_they_say(helm4: Helm):
    rule = {"to": [{"ipBlock": {"cidr": f"{API_SERVER.address}/32"}}], "ports": [{"port": 443}]}
    release = parse(helm4.template(_pool({"egress": "custom", "egressRules": [rule]})))
    policies, pool = Policies.of(release), pod(_of_pool(release, "open"))
    assert policies.let(Connection(pool, API_SERVER, 443))
    assert not policies.let(Connection(pool, API_SERVER, 6443))
    assert not policies.let(Connection(pool, INTERNET, 443))
    assert not policies.let(Connection(pod(_of_pool(release, "video")), API_SERVER, 443))


def test_keda_reaches_redis_where_it_looks_at_the_queues_itself(helm4: Helm):
    simple = {"workers": {"defaults": {"autoscaling": {"keda": {"mode": "simple"}}}}}
    release = parse(helm4.template(merged(SECRETS, {"scaling": {"engine": "keda"}}, simple)))
    (redis,) = release.of_component("redis")
    assert Policies.of(release).let(Connection(KEDA, pod(redis), REDIS))
    assert not Policies.of(release).let(Connection(STRANGER, pod(redis), REDIS))


def test_a_redis_of_somebody_else_is_reached_on_its_port_alone(helm4: Helm):
    release = parse(helm4.template(_external({})))
    for run in release.runs():
        if run.component == "test":
            continue
        assert Policies.of(release).let(Connection(pod(run), STRANGER, 6380)), run.id
        assert not Policies.of(release).let(Connection(pod(run), STRANGER, 6379)), run.id


def test_the_place_of_a_redis_of_somebody_else_can_be_said(helm4: Helm):
    place = {"networkPolicy": {"externalRedisTo": [{"ipBlock": {"cidr": f"{API_SERVER.address}/32"}}]}}
    release = parse(helm4.template(_external(place)))
    worker = pod(release.of_component("worker")[0])
    assert Policies.of(release).let(Connection(worker, API_SERVER, 6380))
    assert not Policies.of(release).let(Connection(worker, STRANGER, 6380))


def test_a_bucket_is_reached_by_those_that_read_and_write_files(helm4: Helm):
    bucket = {"artifacts": {"type": "s3", "s3": {"bucket": "films", "endpoint": "https://minio.example:9000"}}}
    release = parse(helm4.template(merged(SECRETS, bucket)))
    for run in release.runs():
        reaches = Policies.of(release).let(Connection(pod(run), STRANGER, 9000))
        assert reaches == (run.component in ("api", "worker", "controller")), run.id


def test_policies_can_be_left_to_others(helm4: Helm):
    release = parse(helm4.template(merged(SECRETS, {"networkPolicy": {"enabled": False}})))
    assert not Policies.of(release).policies


def _external(more: Values) -> Values:
    redis = {"host": "redis.example", "port": 6380, "auth": {"password": "mellon-friend"}}
    return merged(SECRETS, {"redis": {"enabled": False}, "externalRedis": redis}, more)


def _pool(settings: Values) -> Values:
    return merged(SECRETS, {"workers": {"pools": {"open": {"queues": ["open"], **settings}}}})


def _of_pool(release: Release, name: str) -> Run:
    (run,) = [run for run in release.of_component("worker") if run.labels[POOL] == name]
    return run
