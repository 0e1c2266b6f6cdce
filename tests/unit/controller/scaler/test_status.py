from __future__ import annotations

import orjson

from heavylift_controller.scaler.status import Change, PoolStatus, dump, load

STATUS = PoolStatus(
    pool="video",
    queues=("video", "thumbs"),
    waiting=3,
    running=1,
    oldest_age_seconds=2.5,
    current=1,
    desired=4,
    ready=1,
    draining=("video-1",),
    limiter="slo",
    reason="4 workers instead of 1.",
    decided_at=1_800_000_000.0,
    inputs={"waiting": 3, "boot_seconds": 1.5, "service_seconds": None},
    terms={"backlog": 4},
    last=(Change(1_800_000_000.0, 0, 1, "slo"),),
    going=("video-1",),
)


def test_a_status_comes_back_as_it_was_written():
    assert load(dump(STATUS)) == STATUS


def test_a_change_is_written_with_from_and_to():
    assert orjson.loads(dump(STATUS))["last"] == [{"at": 1_800_000_000.0, "from": 0, "to": 1, "reason": "slo"}]
