"""To nothing and back; and what happens when nothing is known."""

from __future__ import annotations

import time
from datetime import timedelta

from tests.e2e.jobs import ended, running
from tests.e2e.scaling.installation import Installation
from tests.e2e.scaling.seen import What
from tests.waiting import wait_until

OUTAGE = 60
DELAY = timedelta(seconds=30)
LONG = 12
SHRUNK = 150
"""Seconds an idle pool may be kept: no hold that is learned is longer than 128 s."""


def test_a_pool_goes_to_zero_and_comes_back_for_jobs_that_wait_and_those_that_come_due(scaled: Installation) -> None:
    pool, watching = "red", scaled.watching
    position = watching.chronicle.position
    delayed = scaled.client.submit(f"{pool}.rest", {"seconds": 0.2}, delay=DELAY).id
    [long] = scaled.submit(pool, LONG)
    running(scaled.client, [long])
    lowered = [seen for seen in watching.chronicle.since(position) if seen.pool == pool and seen.scale_in]
    assert lowered == []
    jobs = ended(scaled.client, [long])
    scaled.wait_for_replicas(pool, 0, SHRUNK)
    # What was due meanwhile brings it back, and so does what waits at a pool that is held at nothing.
    jobs += ended(scaled.client, [delayed])
    scaled.wait_for_replicas(pool, 0, SHRUNK)
    scaled.hold(pool, 0)
    scaled.wait_for_status(pool, lambda said: bool(said["held_by"]), what="a hold")
    waiting = scaled.submit(pool, *[0.2] * 6)
    scaled.wait_for_status(pool, lambda said: said["waiting"] == len(waiting), what="waiting jobs")
    assert watching.replicas(pool) == 0
    scaled.let_go(pool)
    jobs += ended(scaled.client, waiting)
    scaled.wait_for_replicas(pool, 0, SHRUNK)
    assert {job.status for job in jobs} == {"succeeded"}
    assert {len(job.attempts) for job in jobs} == {1}


def test_a_minute_without_redis_changes_nothing_and_the_reason_is_shown(scaled: Installation) -> None:
    pool, watching, kubectl = "green", scaled.watching, scaled.namespace.kubectl
    redis = f"statefulset/{scaled.release.fullname}-redis"
    [long] = scaled.submit(pool, OUTAGE / 2)
    running(scaled.client, [long])
    before, position = {name: watching.replicas(name) for name in scaled.pools}, watching.chronicle.position
    pods = watching.pods(pool)
    kubectl("scale", redis, "--replicas=0")
    try:
        wait_until(lambda: "redis" in _shown(scaled, pool), 20, what="the reason", every=0.5)
        until = time.monotonic() + OUTAGE
        wait_until(lambda: time.monotonic() > until, OUTAGE + 5, every=1)
        shown = _shown(scaled, pool)
    finally:
        kubectl("scale", redis, "--replicas=1")
    assert "frozen" in shown
    assert [seen for seen in watching.chronicle.since(position) if seen.what is What.SCALED] == []
    assert {name: watching.replicas(name) for name in scaled.pools} == before
    assert watching.pods(pool) == pods
    kubectl("rollout", "status", redis, "--timeout=60s")
    [job] = ended(scaled.client, [long])
    assert (job.status, len(job.attempts)) == ("succeeded", 1)
    [again] = ended(scaled.client, scaled.submit(pool, 0.2))
    assert again.status == "succeeded"
    scaled.wait_for_replicas(pool, 0, SHRUNK)


def _shown(scaled: Installation, pool: str) -> str:
    """Return the line that kubectl shows of a pool."""
    return scaled.namespace.kubectl("get", scaled.resource(pool), "--no-headers", "--output=wide")
