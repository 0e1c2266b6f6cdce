"""In shadow the controller says what it would do beside another autoscaler, and does nothing."""

from __future__ import annotations

import time

from tests.e2e.jobs import ended
from tests.e2e.namespace import Namespace
from tests.e2e.scaling.installation import installed
from tests.e2e.scaling.seen import What
from tests.waiting import wait_until

POOL = "shadowed"
QUIET = 6
"""Seconds in which nothing happens where otherwise it would within two."""


def test_in_shadow_beside_an_hpa_a_decision_is_shown_and_nothing_is_done(namespace: Namespace) -> None:
    shadow = {"scaling": {"engine": "hpa", "shadow": True}}
    with installed(namespace, (POOL,), shadow, min=1) as installation:
        position = installation.watching.chronicle.position
        jobs = installation.submit(POOL, *[2.0] * 12)
        said = installation.wait_for_status(POOL, lambda said: said["desired"] > said["current"], what="a wish")
        assert said["shadow"]
        assert "shadow" in namespace.kubectl("get", installation.resource(POOL), "--output=yaml")
        until = time.monotonic() + QUIET
        wait_until(lambda: time.monotonic() > until, QUIET + 5, every=0.5)
        done = {What.SCALED, What.MARKED, What.COSTED}
        assert [seen for seen in installation.watching.chronicle.since(position) if seen.what in done] == []
        assert {job.status for job in ended(installation.client, jobs)} == {"succeeded"}
