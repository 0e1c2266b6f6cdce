"""The pools of workers, and orders about them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from heavylift.client import NotFound
from tests.scripted_api import ScriptedApi, answer, problem
from tests.unit.client.conftest import Call

POOL: dict[str, object] = {
    "pool": "video",
    "queues": ["films", "video"],
    "waiting": 40,
    "running": 3,
    "oldest_age_seconds": 2.5,
    "current": 3,
    "desired": 12,
    "ready": 2,
    "draining": ["w-1"],
    "limiter": "slo",
    "reason": "12 workers instead of 3: as many begin the waiting jobs in time.",
    "note": "",
    "held_by": "",
    "hold_until": None,
    "paused": False,
    "shadow": False,
    "frozen": False,
    "target": "rel-heavylift-worker-video",
    "decided_at": "2026-01-02T03:04:05Z",
    "age_seconds": 0.4,
    "stale": False,
}
RECORD: dict[str, object] = {
    **POOL,
    "inputs": {"waiting": 40, "service_seconds": 3.25, "boot_seconds": None},
    "terms": {"backlog": 12, "steady": 2},
    "last": [{"at": "2026-01-02T03:03:05Z", "from": 1, "to": 3, "reason": "3 workers instead of 1."}],
}


def test_pools_are_read(api: ScriptedApi, call: Call) -> None:
    api.script(answer({"items": [POOL]}), answer(RECORD), problem(404, "There is no pool 'x'. There are: video."))
    [pool] = call(lambda c: c.pools())
    assert (pool.pool, pool.desired, pool.stale) == ("video", 12, False)
    found = call(lambda c: c.pool("video"))
    assert (found.inputs["boot_seconds"], found.terms["steady"]) == (None, 2)
    assert [(change.before, change.after) for change in found.last] == [(1, 3)]
    with pytest.raises(NotFound, match="There are: video"):
        call(lambda c: c.pool("x/y"))
    assert api.paths == ["GET /v1/pools", "GET /v1/pools/video", "GET /v1/pools/x%2Fy"]


def test_a_hold_sends_what_was_given(api: ScriptedApi, call: Call) -> None:
    api.script(*[answer(RECORD, 202)] * 3)
    call(lambda c: c.hold_pool("video", 0))
    call(lambda c: c.hold_pool("video", 5, lasting=timedelta(hours=2)))
    call(lambda c: c.hold_pool("video", 5, until=datetime(2026, 1, 2, tzinfo=UTC)))
    assert [json.loads(request.body) for request in api.requests] == [
        {"replicas": 0},
        {"replicas": 5, "for": 7200.0},
        {"replicas": 5, "until": "2026-01-02T00:00:00+00:00"},
    ]
    assert set(api.paths) == {"POST /v1/pools/video:hold"}


def test_every_order_has_its_route(api: ScriptedApi, call: Call) -> None:
    names = ("release_pool", "pause_pool", "resume_pool", "freeze_pool_in", "freeze_pool_out", "thaw_pool")
    api.script(*[answer(RECORD, 202)] * len(names))
    for name in names:
        assert call(lambda c, name=name: getattr(c, name)("video")).pool == "video"
    actions = ("release", "pause", "resume", "freeze-in", "freeze-out", "thaw")
    assert api.paths == [f"POST /v1/pools/video:{action}" for action in actions]
