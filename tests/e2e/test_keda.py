"""KEDA adds workers by our number, we take them away, and neither undoes what the other did."""

from __future__ import annotations

import json
import os
import shlex
import time
from collections.abc import Iterator

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.commands import run
from tests.e2e.conftest import NamespaceFactory
from tests.e2e.jobs import ended, running
from tests.e2e.scaling.installation import Installation, installed
from tests.e2e.scaling.seen import Seen, What
from tests.waiting import wait_until

INSTALL = os.environ.get("KEDA_INSTALL", "")
"""Such as `k8s/kind/keda`."""
POOL = "red"
MOST = 13
OURS = "heavylift-controller"
PUSHED = 3
"""Seconds within which KEDA leaves zero: it is told in milliseconds, and asks only every 5 s."""
CONNECTED = 70
"""Seconds after an install in which KEDA listens at last: what failed it tries again after up to a minute."""
SYNC = 15
"""Seconds between two looks of an HPA."""
LONG = 45
"""Seconds of a job: longer than KEDA and an HPA need for as many workers as there are jobs."""
EXPECTED = {POOL: {"expectedServiceSeconds": LONG}}

pytestmark = pytest.mark.skipif(not INSTALL, reason="KEDA_INSTALL does not name a command that installs KEDA")


@pytest.fixture(scope="module")
def keda(cluster: Cluster) -> None:
    """KEDA, installed by a command that is given the cluster's name and $KUBECONFIG."""
    run(*shlex.split(INSTALL), cluster.name, env=cluster.env, timeout=900)


@pytest.fixture(scope="module")
def release(keda: None, new_namespace: NamespaceFactory) -> Iterator[Installation]:
    with (
        new_namespace("keda") as namespace,
        installed(namespace, [POOL], {"scaling": {"engine": "keda"}}, max=MOST, queues=EXPECTED) as installation,
    ):
        yield installation


@pytest.fixture
def scaled(release: Installation) -> Installation:
    """The release, with its pool at nothing and left to itself."""
    release.rest(POOL)
    release.wait_until_empty(POOL, timeout=90)
    release.let_go(POOL)
    release.wait_for_status(POOL, lambda said: not said["held_by"], what="a hold's end")
    return release


def test_kedas_autoscaler_looks_at_our_number_though_it_was_there_first(release: Installation) -> None:
    hpa = f"hpa/keda-hpa-{release.deployment(POOL)}"

    def metrics() -> list[str]:
        spec = json.loads(release.namespace.kubectl("get", hpa, "--output=json"))["spec"]
        return [metric.get("external", {}).get("metric", {}).get("name", "") for metric in spec["metrics"]]

    wait_until(lambda: metrics() == ["s0-desired_workers"], 30, what="our metric", every=0.5)


def test_what_we_take_away_is_not_brought_back_and_work_is(scaled: Installation) -> None:
    jobs = scaled.submit(POOL, *[LONG] * 3)
    scaled.wait_for_replicas(POOL, 3, 3 * SYNC)
    ended(scaled.client, jobs)
    position = scaled.watching.chronicle.position
    scaled.hold(POOL, 1)
    scaled.wait_for_replicas(POOL, 1)
    _two_syncs()
    scaled.rest(POOL)
    scaled.wait_until_empty(POOL)
    _two_syncs()
    assert all(seen.scale_in for seen in _numbers(scaled, position))
    scaled.let_go(POOL)
    [job] = ended(scaled.client, scaled.submit(POOL, 0.2))
    assert (job.status, len(job.attempts)) == ("succeeded", 1)


def test_one_more_than_ten_is_not_stranded(scaled: Installation) -> None:
    scaled.hold(POOL, 10)
    scaled.submit(POOL, 0.2)
    scaled.wait_for_replicas(POOL, 10, 90)
    position = scaled.watching.chronicle.position
    scaled.hold(POOL, 11)
    raised = _next_number(scaled, position, 3 * SYNC)
    assert raised.after >= 11
    scaled.wait_for_replicas(POOL, 11, 90)
    position = scaled.watching.chronicle.position
    _two_syncs()
    assert _numbers(scaled, position) == []


def test_keda_is_pushed_out_of_zero_and_grows_to_our_number(scaled: Installation) -> None:
    age = time.time() - scaled.watching.chronicle.since(0)[0].at
    _wait(CONNECTED - age)
    position, at = scaled.watching.chronicle.position, time.time()
    jobs = scaled.submit(POOL, *[LONG] * 3)
    first = _next_number(scaled, position)
    assert (first.before, first.after) == (0, 1)
    assert first.at - at < PUSHED
    scaled.wait_for_replicas(POOL, 3, 3 * SYNC)
    assert OURS not in {seen.who for seen in _numbers(scaled, position)}
    assert {job.status for job in ended(scaled.client, jobs)} == {"succeeded"}


def test_a_restart_of_the_controllers_changes_no_number(scaled: Installation) -> None:
    jobs = scaled.submit(POOL, *[2 * LONG] * 2)
    scaled.wait_for_replicas(POOL, 2, 3 * SYNC)
    running(scaled.client, jobs)
    position = scaled.watching.chronicle.position
    scaled.namespace.kubectl("delete", "pods", "--selector=app.kubernetes.io/component=controller", "--wait=false")
    _two_syncs()
    assert _numbers(scaled, position) == []
    assert {(job.status, len(job.attempts)) for job in ended(scaled.client, jobs)} == {("succeeded", 1)}


def _numbers(scaled: Installation, position: int) -> list[Seen]:
    return [seen for seen in scaled.watching.chronicle.since(position) if seen.what is What.SCALED]


def _next_number(scaled: Installation, position: int, timeout: float = 30) -> Seen:
    return scaled.watching.chronicle.wait(
        lambda seen: seen.what is What.SCALED, timeout, after=position, what="a new number"
    )


def _two_syncs() -> None:
    _wait(2 * SYNC + 2)


def _wait(seconds: float) -> None:
    until = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() > until, seconds + 5, every=1)
