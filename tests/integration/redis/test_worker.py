"""A worker under everything Redis may refuse: it stays, and takes jobs again."""

from __future__ import annotations

import time

import pytest

from tests.fixtures_redis import RedisServer
from tests.fixtures_worker import Jobs, StartWorker
from tests.integration.redis.test_refusals import REFUSALS
from tests.waiting import wait_until

pytestmark = pytest.mark.integration

HOW_LONG = 1.2
"""Seconds each refusal lasts: longer than a heartbeat, so that the supervisor meets it too."""


def test_a_worker_outlives_every_refusal(own_jobs: Jobs, start_worker: StartWorker, redis_server: RedisServer) -> None:
    worker = start_worker(HEAVYLIFT_REDIS_TIMEOUT="1s")
    assert own_jobs.run("add", a=1, timeout=20).status == "succeeded"
    for name in ("MISCONF", "MASTERDOWN", "READONLY", "maxclients", "NOREPLICAS"):
        refusal, _ = REFUSALS[name]
        with refusal(redis_server):
            until = time.monotonic() + HOW_LONG
            wait_until(lambda: time.monotonic() > until, what="the refusal's end")  # noqa: B023 - used at once
            assert worker.process.poll() is None, name

        assert own_jobs.run("add", a=1, timeout=20).status == "succeeded", name
    assert worker.events("supervisor_turn_failed") == []
