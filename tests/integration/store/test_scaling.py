"""What the scaling policy reads of a queue, and the marks that keep workers from getting jobs."""

from __future__ import annotations

import json
import math
import re
from contextlib import nullcontext

import pytest

from heavylift import operations as ops
from heavylift.errors import ClaimRefused
from heavylift.model import Priority
from heavylift.operations import Outcome
from heavylift.scripts import script
from heavylift_controller.scaling.service_times import bucket
from tests.integration.store.bench import QUEUE, Bench

pytestmark = pytest.mark.integration

_NUMBER = "local function number(n) return string.format('%.0f', n) end"
_PROBE = """
local found = {}
for i, ms in ipairs(ARGV) do
  facts[9] = -ms
  redis.call('DEL', base .. 'served')
  count_served()
  found[i] = tonumber(string.match(redis.call('HKEYS', base .. 'served')[1], '^type (%d+)$'))
end
return found
"""
"""Has the finishing script's own function count attempts of given lengths."""


def scene(bench: Bench) -> ops.QueueScene:
    return bench.run(ops.read_scenes(bench.keys, [QUEUE]))[QUEUE]


def test_an_unknown_queue_is_an_empty_scene(bench: Bench) -> None:
    seen = scene(bench)

    assert (seen.waiting, seen.oldest_age, seen.arrived, seen.epoch) == (0, 0.0, 0, 0)
    assert (seen.served, seen.running, seen.draining) == ({}, (), {})
    seconds, micros = bench.ask("TIME")
    assert seconds + micros / 1e6 - seen.now < 5


def test_a_scene_tells_who_runs_what(bench: Bench) -> None:
    first = bench.submit()
    bench.submit()
    bench.claim_one("w1")
    seen = scene(bench)

    assert seen.waiting == 1
    [running] = seen.running
    assert (running.uuid, running.job_type, running.worker) == (first.uuid, "video.transcode", "w1")
    assert 0 <= running.age < 5


def test_many_scenes_are_read_at_once_where_redis_knows_no_script(bench: Bench) -> None:
    bench.submit()
    bench.redis.script_flush()
    seen = bench.run(ops.read_scenes(bench.keys, [QUEUE, "other", "third"]))

    assert {queue: each.waiting for queue, each in seen.items()} == {QUEUE: 1, "other": 0, "third": 0}


@pytest.mark.parametrize("others", [[], ["other"]])
def test_a_queue_with_keys_of_a_foreign_type_is_missing(bench: Bench, others: list[str]) -> None:
    bench.redis.set(bench.keys.leases("broken"), "a text")

    assert list(bench.run(ops.read_scenes(bench.keys, ["broken", *others]))) == others


def test_a_newer_leader_shuts_an_older_one_out(bench: Bench) -> None:
    older, newer = bench.run(ops.next_epoch(bench.keys)), bench.run(ops.next_epoch(bench.keys))
    assert bench.run(ops.drain(bench.keys, QUEUE, epoch=older, mark=["w1", "w2"]))
    assert bench.run(ops.drain(bench.keys, QUEUE, epoch=newer))

    assert not bench.run(ops.drain(bench.keys, QUEUE, epoch=older, mark=["w3"], release=["w1"]))
    seen = scene(bench)
    assert (seen.epoch, set(seen.draining)) == (newer, {"w1", "w2"})
    assert all(590 < left <= 600 for left in seen.draining.values())


def test_marks_are_taken_back_and_end_by_themselves(bench: Bench) -> None:
    assert bench.run(ops.drain(bench.keys, QUEUE, epoch=1, mark=["w1", "w2"]))
    assert bench.run(ops.drain(bench.keys, QUEUE, epoch=1, mark=["w3"], release=["w1"], seconds=0))

    assert set(scene(bench).draining) == {"w2"}
    assert bench.run(ops.drain(bench.keys, QUEUE, epoch=1))
    assert set(bench.ask("HKEYS", bench.keys.draining(QUEUE))) == {b"", b"w2"}


def test_reports_come_and_go(bench: Bench) -> None:
    report = ops.WorkerReport("video", "boot-1", 2, (QUEUE,), False, 7, 1700000000.5, "0.1.0")
    for name in ("w1", "w2"):
        bench.run(ops.report_worker(bench.keys, name, report))
    bench.ask("HSET", bench.keys.workers, "strange", "{}")
    bench.run(ops.forget_workers(bench.keys, ["w2"]))

    assert bench.run(ops.read_workers(bench.keys)) == {"w1": report}


def test_memories_are_fenced(bench: Bench) -> None:
    assert bench.run(ops.save_memory(bench.keys, "video", 2, b"\x00 new"))

    assert not bench.run(ops.save_memory(bench.keys, "video", 1, b"old"))
    assert bench.run(ops.read_memories(bench.keys)) == {"video": b"\x00 new"}


def test_pools_and_orders_are_kept_by_name(bench: Bench) -> None:
    bench.run(ops.publish_pools(bench.keys, {"video": b"{}", "audio": b"[]"}))
    bench.run(ops.publish_pools(bench.keys, {}))
    bench.run(ops.forget_pools(bench.keys, ["audio"]))
    bench.run(ops.steer(bench.keys, "video", b"first", matters=["hold"]))
    bench.run(ops.steer(bench.keys, "video", b"second", matters=["hold"]))
    bench.run(ops.steer(bench.keys, "video", b"third", matters=["pause", "freeze"]))

    assert bench.run(ops.read_pools(bench.keys)) == {"video": b"{}"}
    orders = bench.run(ops.read_steering(bench.keys))
    assert orders == {"video": {"hold": b"second", "pause": b"third", "freeze": b"third"}}


def test_a_call_lies_there_once(bench: Bench) -> None:
    for _ in range(3):
        bench.run(ops.call_workers(bench.keys, ["w1", "w2"]))

    assert [bench.ask("LLEN", bench.keys.called(name)) for name in ("w1", "w2")] == [1, 1]
    assert bench.ask("TTL", bench.keys.called("w1")) > 0


def test_a_marked_worker_gets_nothing_and_is_told_so(bench: Bench) -> None:
    bench.submit()
    bench.run(ops.drain(bench.keys, QUEUE, epoch=1, mark=["w1"]))

    with pytest.raises(ClaimRefused):
        bench.claim("w1")
    assert bench.claim("w2")


def test_it_is_told_so_where_nothing_waits(bench: Bench) -> None:
    bench.run(ops.drain(bench.keys, QUEUE, epoch=1, mark=["w1"]))

    with pytest.raises(ClaimRefused):
        bench.claim("w1")
    assert bench.tokens() == 0


@pytest.mark.parametrize("mark", [["w1"], []])
def test_a_worker_that_may_take_nothing_gives_its_wake_token_on(bench: Bench, mark: list[str]) -> None:
    bench.submit()
    bench.run(ops.drain(bench.keys, QUEUE, epoch=1, mark=mark))
    assert bench.take_token()
    with pytest.raises(ClaimRefused) if mark else nullcontext():
        assert bench.claim("w1", slots=0) == []

    assert bench.tokens() == 1


def test_a_mark_that_is_over_or_taken_back_keeps_nobody_away(bench: Bench) -> None:
    bench.submit()
    bench.submit()
    bench.run(ops.drain(bench.keys, QUEUE, epoch=1, mark=["w1"], seconds=0))
    assert bench.claim("w1")

    bench.run(ops.drain(bench.keys, QUEUE, epoch=1, mark=["w1"]))
    bench.run(ops.drain(bench.keys, QUEUE, epoch=1, release=["w1"]))
    assert bench.claim("w1")


def test_an_end_or_a_renewal_asks_for_no_mark(bench: Bench) -> None:
    bench.submit()
    claim = bench.claim_one("w1")
    bench.run(ops.drain(bench.keys, QUEUE, epoch=1, mark=["w1"]))

    assert bench.renew(claim) == [ops.LeaseState.RENEWED]
    assert bench.finish(claim).first


def test_jobs_are_counted_when_they_become_ready_to_run(bench: Bench) -> None:
    repeated = bench.submission()
    for _ in range(2):
        bench.run(ops.submit(bench.keys, QUEUE, [repeated, bench.submission(run_in=60)]))
    assert scene(bench).arrived == 1

    bench.finish(bench.claim_one(), Outcome.LOST)
    assert scene(bench).arrived == 2
    bench.finish(bench.claim_one(), Outcome.RETRYING)
    bench.ask("ZADD", bench.keys.due(QUEUE), 1, repeated.id.uuid)
    bench.release_due()
    assert scene(bench).arrived == 3
    bench.finish(bench.claim_one(), Outcome.FAILED)
    bench.replay(repeated.id)
    assert scene(bench).arrived == 4


@pytest.mark.parametrize("outcome", list(Outcome))
def test_attempts_that_ended_by_themselves_are_counted_by_their_length(bench: Bench, outcome: Outcome) -> None:
    job_id = bench.submit()
    claim = bench.claim_one()
    bench.ask("HINCRBY", bench.keys.job(*job_id), "started", -2600)
    bench.finish(claim, outcome)

    by_itself = outcome in {Outcome.SUCCEEDED, Outcome.FAILED, Outcome.RETRYING}
    assert scene(bench).served == ({"video.transcode": {bucket(2.6): 1}} if by_itself else {})


def test_an_attempt_whose_code_did_not_run_tells_nothing_of_its_type(bench: Bench) -> None:
    job_id = bench.submit()
    claim = bench.claim_one()
    ending = ops.Ending(Outcome.RETRYING, ran=False)
    bench.run(ops.finish(bench.keys, job_id, claim.token, ending, attempt=1, worker="w1"))

    assert scene(bench).served == {}


def test_lengths_fall_into_the_buckets_of_the_policy(bench: Bench) -> None:
    octaves = [10 * 2**power for power in range(24)]
    edges = [math.ceil(10 * 2 ** (edge / 4)) for edge in range(100)]
    lengths = {*range(1, 300), *(near + off for near in (*octaves, *edges) for off in (-1, 0, 1)), 7 * 86_400_000}
    counting = re.search(
        r"^local function count_served\(\)$.*?^end$", script("finish").source, re.DOTALL | re.MULTILINE
    )
    assert counting
    probe = f"local base, now, facts = KEYS[1], 0, {{[8] = 'type'}}\n{_NUMBER}\n{counting[0]}\n{_PROBE}"
    found = bench.ask("EVAL", probe, 1, "probe:", *lengths)

    assert dict(zip(lengths, found, strict=True)) == {ms: bucket(ms / 1000) for ms in lengths}


def test_a_broken_statistic_fails_no_job_and_hides_no_queue(bench: Bench) -> None:
    for name in ("arrived", "served"):
        bench.ask("LPUSH", f"{bench.keys.base(QUEUE)}{name}", "a list")
    bench.submit()
    bench.finish(bench.claim_one(), Outcome.LOST)
    assert bench.finish(bench.claim_one()).first

    seen = scene(bench)
    assert (seen.arrived, seen.served, seen.waiting) == (0, {}, 0)


def test_the_oldest_waits_since_it_became_ready(bench: Bench) -> None:
    put_back, fresh = bench.submit(), bench.submit()
    for job_id, ms in ((put_back, 60_000), (fresh, 30_000)):
        bench.ask("HINCRBY", bench.keys.job(*job_id), "created", -ms)
        bench.ask("ZINCRBY", bench.keys.index(QUEUE, "queued"), -ms, job_id.uuid)
    assert 60 <= scene(bench).oldest_age < 65

    bench.finish(bench.claim_one(), Outcome.LOST)
    assert 30 <= scene(bench).oldest_age < 35
    bench.cancel(fresh)
    assert scene(bench).oldest_age < 5


def test_waiting_is_what_the_queues_state_says(bench: Bench) -> None:
    bench.run_down(bench.submit(max_attempts=9), 2)
    for priority in Priority:
        bench.submit(priority=priority)
    assert bench.claim("w1", busy=1)  # puts the suspect aside
    bench.cancel(bench.submit())
    strange = (bench.keys.lists(QUEUE)[0], json.dumps({"headers": {"id": "a", "task": "b"}}))
    bench.ask("LPUSH", *strange)

    state = bench.run(ops.queue_state(bench.keys, QUEUE))
    assert scene(bench).waiting == state.waiting == 5
    bench.ask("LREM", strange[0], 1, strange[1])


def test_a_submit_to_an_empty_queue_is_told(bench: Bench) -> None:
    with bench.redis.pubsub(ignore_subscribe_messages=True) as listener:
        listener.subscribe(ops.woken(bench.keys, QUEUE))
        listener.get_message(timeout=5)
        bench.submit(run_in=60)
        for _ in range(2):
            bench.run(ops.submit(bench.keys, QUEUE, [bench.submission(), bench.submission()]))
        bench.redis.publish(ops.woken(bench.keys, QUEUE), "end")
        heard = [listener.get_message(timeout=5) for _ in range(2)]

    assert [message["data"] for message in heard if message] == [b"2", b"end"]
