"""Who decides: one of several controllers, with or without WorkerPool objects, and nobody beside another autoscaler."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.e2e.jobs import ended
from tests.e2e.release import CHART
from tests.e2e.scaling.controllers import NEW_LEADER_WITHIN, Controllers
from tests.e2e.scaling.installation import PLURAL, Installation
from tests.e2e.scaling.seen import Seen, What
from tests.e2e.scaling.victims import ours
from tests.waiting import wait_until

CRDS = Path(CHART, "crds")
MOST = 3
MANY = [0.5] * 60
"""Jobs enough for all workers, however short the ones before have been."""
QUIET = 6


def test_another_controller_leads_within_fifteen_seconds_and_nothing_is_decided_twice(scaled: Installation) -> None:
    pool, chronicle = "red", scaled.watching.chronicle
    with Controllers(scaled) as controllers:
        leader = controllers.prepare()
        position = chronicle.position
        at = controllers.kill(leader)
        jobs = scaled.submit(pool, *MANY)
        assert controllers.replace(leader, at, position).at - at <= NEW_LEADER_WITHIN
        assert {job.status for job in ended(scaled.client, jobs)} == {"succeeded"}
        raised = [seen for seen in _numbers(scaled, pool, position) if seen.after > seen.before]
        assert [(seen.before, seen.after) for seen in raised] == [(0, MOST)]
        controllers.prepare()  # both are there again for the next test


def test_pools_scale_without_the_definition_of_workerpool(scaled: Installation) -> None:
    kubectl, pool = scaled.namespace.kubectl, "green"
    kubectl("delete", "crd", PLURAL)
    try:
        position = scaled.watching.chronicle.position
        jobs = ended(scaled.client, scaled.submit(pool, *MANY))
        assert {job.status for job in jobs} == {"succeeded"}
        scaled.wait_for_replicas(pool, 0, 150)
        numbers = _numbers(scaled, pool, position)
        assert (numbers[0].before, numbers[0].after) == (0, MOST)
        assert all(ours(seen) for seen in numbers)
    finally:
        kubectl("apply", "--server-side", "--filename", str(CRDS))
        kubectl("wait", "--for=condition=Established", f"crd/{PLURAL}", "--timeout=30s")
        wait_until(lambda: _named(scaled) == set(scaled.pools), 60, what="WorkerPools made anew", every=0.5)


def test_a_pool_that_another_autoscaler_owns_is_left_to_it_and_says_so(scaled: Installation) -> None:
    pool, kubectl = "blue", scaled.namespace.kubectl
    name = scaled.deployment(pool)
    kubectl("autoscale", f"deployment/{name}", "--min=1", f"--max={MOST}", "--cpu=80%")
    try:
        said = scaled.wait_for_status(pool, lambda said: "HorizontalPodAutoscaler" in _words(said), what="a refusal")
        assert name in _words(said)
        position = scaled.watching.chronicle.position
        jobs = scaled.submit(pool, *[1.0] * 24)
        until = time.monotonic() + QUIET
        wait_until(lambda: time.monotonic() > until, QUIET + 5, every=0.5)
        assert [seen for seen in _numbers(scaled, pool, position) if ours(seen)] == []
    finally:
        kubectl("delete", f"horizontalpodautoscaler/{name}")
    assert {job.status for job in ended(scaled.client, jobs)} == {"succeeded"}


def _words(said: Mapping[str, Any]) -> str:
    return f"{said['reason']} {said['note']}"


def _numbers(scaled: Installation, pool: str, position: int) -> Sequence[Seen]:
    """Return the numbers a pool was given since a position."""
    entries = scaled.watching.chronicle.since(position)
    return [seen for seen in entries if seen.pool == pool and seen.what is What.SCALED]


def _named(scaled: Installation) -> set[str]:
    names = scaled.namespace.kubectl("get", PLURAL, "--output=name").split()
    return {name.removeprefix(f"workerpool.heavylift.dev/{scaled.release.fullname}-") for name in names}
