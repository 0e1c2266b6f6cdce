"""A person's word comes first, is shown, and ends when they say so."""

from __future__ import annotations

import time
from collections.abc import Sequence

from tests.e2e.jobs import ended
from tests.e2e.scaling.installation import MANUAL_HOLD, Installation
from tests.e2e.scaling.seen import Seen, What
from tests.e2e.scaling.victims import ours
from tests.waiting import wait_until

QUIET = 6
"""Seconds in which nothing happens where otherwise it would within two."""


def test_a_number_put_on_the_deployment_stands_is_shown_with_who_set_it_and_ends(scaled: Installation) -> None:
    pool, watching = "red", scaled.watching
    position, begin = watching.chronicle.position, time.time()
    scaled.namespace.kubectl("scale", f"deployment/{scaled.deployment(pool)}", "--replicas=2")
    said = scaled.wait_for_status(pool, lambda said: bool(said["held_by"]), what="a hold")
    assert "kubectl" in said["held_by"]
    wait_until(
        lambda: "kubectl" in scaled.namespace.kubectl("get", scaled.resource(pool), "--output=wide"),
        what="who holds the pool, in what kubectl shows",
    )
    lowered = watching.chronicle.wait(
        lambda seen: seen.pool == pool and seen.scale_in, 4 * MANUAL_HOLD, after=position, what="the hold's end"
    )
    assert lowered.at - begin >= MANUAL_HOLD
    assert ours(lowered)
    scaled.wait_for_replicas(pool, 0)


def test_a_number_put_on_the_workerpool_stands_until_it_is_released(scaled: Installation) -> None:
    pool, watching = "blue", scaled.watching
    scaled.hold(pool, 2)
    scaled.wait_for_replicas(pool, 2)
    held = watching.chronicle.position
    jobs = ended(scaled.client, scaled.submit(pool, *[0.2] * 4))
    assert {job.status for job in jobs} == {"succeeded"}
    assert _changes(scaled, pool, held, MANUAL_HOLD + QUIET) == []
    # The other way, a merge patch, is how all these tests let go of a pool.
    scaled.run_cli("pools", "release", pool)
    scaled.wait_for_replicas(pool, 0)


def test_a_pool_paused_by_its_field_stays_as_it_is(scaled: Installation) -> None:
    pool = "green"
    with scaled.told(pool, "field", "paused"):
        scaled.wait_for_status(pool, lambda said: said["paused"], what="a pause")
        position = scaled.watching.chronicle.position
        jobs = scaled.submit(pool, *[0.2] * 4)
        assert _changes(scaled, pool, position, QUIET) == []
    assert {job.status for job in ended(scaled.client, jobs)} == {"succeeded"}


def test_a_pool_frozen_in_by_an_annotation_grows_and_does_not_shrink(scaled: Installation) -> None:
    pool = "red"
    with scaled.told(pool, "annotation", "freeze-in"):
        position = scaled.watching.chronicle.position
        ended(scaled.client, scaled.submit(pool, *[0.2] * 24))
        scaled.wait_for_status(pool, lambda said: said["limiter"] == "freeze-in", what="a freeze")
        assert scaled.watching.replicas(pool) > 0
        assert [seen for seen in _changes(scaled, pool, position, QUIET) if seen.scale_in] == []
    scaled.wait_for_replicas(pool, 0, 150)


def test_a_pool_frozen_out_by_its_field_does_not_grow(scaled: Installation) -> None:
    pool = "blue"
    with scaled.told(pool, "field", "freeze-out"):
        jobs = scaled.submit(pool, *[0.2] * 24)
        scaled.wait_for_status(pool, lambda said: said["limiter"] == "freeze-out", what="a freeze")
        assert scaled.watching.replicas(pool) == 0
    assert {job.status for job in ended(scaled.client, jobs)} == {"succeeded"}


def test_kubectl_shows_what_a_pool_does_and_why(scaled: Installation) -> None:
    pool, kubectl = "red", scaled.namespace.kubectl
    ended(scaled.client, scaled.submit(pool, 0.2))
    scaled.wait_for_replicas(pool, 0, 150)
    head, *lines = kubectl("get", "workerpools").splitlines()
    assert {"QUEUES", "WAITING", "RUNNING", "OLDEST", "CURRENT", "DESIRED", "READY", "REASON"} <= set(head.split())
    assert len(lines) == len(scaled.pools)
    described = kubectl("describe", scaled.resource(pool))
    events = described.partition("Events:")[2]
    assert "Scaled" in events
    explained = kubectl("explain", "workerpools.spec.replicas")
    assert "kubectl scale" in explained


def _changes(scaled: Installation, pool: str, position: int, seconds: float) -> Sequence[Seen]:
    """Return the numbers a pool was given since a position, after so many seconds in which there was cause."""
    until = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() > until, seconds + 5, every=0.5)
    return [
        seen for seen in scaled.watching.chronicle.since(position) if seen.pool == pool and seen.what is What.SCALED
    ]
