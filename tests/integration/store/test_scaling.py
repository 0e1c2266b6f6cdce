"""What the scaling policy reads of a queue, and the marks that keep workers from getting jobs."""

from __future__ import annotations

import pytest

from heavylift import operations as ops
from tests.integration.store.bench import QUEUE, Bench

pytestmark = pytest.mark.integration


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
    bench.run(ops.steer(bench.keys, "video", b'{"action":"hold"}'))

    assert bench.run(ops.read_pools(bench.keys)) == {"video": b"{}"}
    assert bench.run(ops.read_steering(bench.keys)) == {"video": b'{"action":"hold"}'}


def test_a_call_lies_there_once(bench: Bench) -> None:
    for _ in range(3):
        bench.run(ops.call_workers(bench.keys, ["w1", "w2"]))

    assert [bench.ask("LLEN", bench.keys.called(name)) for name in ("w1", "w2")] == [1, 1]
    assert bench.ask("TTL", bench.keys.called("w1")) > 0
