"""The loop against a real Redis and a place where pods come and go: what it does, and in which order."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from heavylift import operations as ops
from heavylift.errors import ClaimRefused, StoreUnavailable
from heavylift.operations import WorkerReport
from heavylift_controller.scaler.drain import LEAST_LEFT
from heavylift_controller.scaler.platform import DRAINED, Overrides, Scaled, Stage
from heavylift_controller.scaler.served import Served
from tests.fixtures_redis import RedisServer
from tests.integration.controller.place import QUEUE, Put, Scaling

pytestmark = pytest.mark.integration

DRAIN = 12
"""Turns in which idle workers are given up for sure: the hold that is chosen at first, the drain, and what settles."""


@pytest.fixture
def scaling(redis_url: str, tmp_path: Path) -> Iterator[Scaling]:
    scaling = Scaling(redis_url, tmp_path)
    yield scaling
    scaling.store.close()


def counted(metric: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(metric, {"pool": QUEUE, **labels}) or 0.0


def test_a_pools_series_are_there_before_anything_was_decided(scaling: Scaling) -> None:
    series = ("desired_workers", "current_workers", "ready_workers", "frozen", "held", "boot_seconds", "hold_seconds")
    assert all(REGISTRY.get_sample_value(f"heavylift_pool_{name}", {"pool": QUEUE}) is not None for name in series)
    for limiter in ("slo", "frozen", "max"):
        assert REGISTRY.get_sample_value("heavylift_pool_limiter", {"pool": QUEUE, "limiter": limiter}) is not None
    scaling.turns()
    text = {"pool": QUEUE, "limiter": scaling.status().limiter}
    assert REGISTRY.get_sample_value("heavylift_pool_limiter", text) == 1


# ---- out


def test_a_burst_on_an_empty_pool_is_one_change_straight_to_the_number(scaling: Scaling) -> None:
    scaling.turns()
    before = counted("heavylift_scaling_reaction_seconds_count")
    scaling.submit(5)
    status = scaling.turns()
    assert scaling.place.scaled == [(0, 5)]
    assert (status.waiting, status.current, status.desired, status.limiter) == (5, 5, 5, "slo")
    [change] = status.last
    assert (change.before, change.after, change.reason) == (0, 5, "slo")
    assert abs(status.decided_at - time.time()) < 60
    assert counted("heavylift_scaling_reaction_seconds_count") == before + 1
    scaling.turns(3)
    assert scaling.place.scaled == [(0, 5)]


def test_a_number_whose_answer_was_lost_is_looked_for_where_it_is_not_older(scaling: Scaling) -> None:
    scaling.turns()
    scaling.submit(5)
    scaling.place.loses = True
    assert "no answer came" in scaling.turns().note
    scaling.place.meanwhile = scaling.place.arrive
    scaling.turns()
    assert scaling.place.meanwhile is None  # read anew: the change that came late was found, not made again
    assert scaling.place.scaled == [(0, 5)]


def test_a_number_somebody_else_sets_meanwhile_stands(scaling: Scaling) -> None:
    scaling.turns()
    scaling.submit(5)
    scaling.place.answer = Scaled.CHANGED
    assert "decided anew" in scaling.turns().note
    anew: list[int] = []
    scaling.place.meanwhile = lambda: anew.append(1)
    scaling.turns()
    assert anew  # the next decision is from what is there, not from what was seen
    scaling.place.answer = None
    scaling.place.replicas = 3
    scaling.place.extra = {"scaled_by": "kubectl-scale", "scaled_at": time.time()}
    status = scaling.turns()
    assert (status.held_by, status.desired, scaling.place.scaled) == ("kubectl-scale", 3, [])


def test_what_the_platform_refuses_is_shown_and_not_tried_each_time(scaling: Scaling) -> None:
    scaling.turns()
    scaling.submit(5)
    scaling.place.answer = Scaled.REFUSED
    status = scaling.turns(4)
    assert (status.limiter, status.note) == ("refused", "the platform refuses 5 workers")
    assert scaling.place.notes.count("ScalingRefused") == 1
    scaling.place.answer = None
    assert scaling.turns(5).limiter == "slo"
    assert scaling.place.scaled == [(0, 5)]


def test_a_refusal_is_over_once_nothing_more_is_wanted(scaling: Scaling) -> None:
    scaling.turns()
    [job] = scaling.submit()
    scaling.place.answer = Scaled.REFUSED
    assert scaling.turns().limiter == "refused"
    scaling.store.run(ops.cancel(scaling.keys, job))
    assert scaling.turns(DRAIN).limiter != "refused"


def test_a_refused_scale_in_is_not_tried_each_time(scaling: Scaling) -> None:
    scaling.at_rest(1)
    scaling.place.answer = Scaled.REFUSED
    status = scaling.turns(DRAIN)
    assert (status.limiter, status.note) == ("refused", "the platform refuses 0 workers")
    assert scaling.place.notes.count("ScalingRefused") < 4


# ---- in


def test_idle_workers_are_drained_and_go_and_a_busy_one_stays(scaling: Scaling) -> None:
    deleted = counted("heavylift_scaling_drains_total", result="deleted")
    scaling.at_rest(3)
    taken = scaling.work("w2")
    scaling.turns(DRAIN)
    assert scaling.place.scaled == [(3, 1)]
    assert scaling.place.ended == ["w1", "w3"]
    assert scaling.marked() == set()
    assert counted("heavylift_scaling_drains_total", result="deleted") == deleted + 2
    assert scaling.status().going == ()
    scaling.finish(taken, "w2")
    status = scaling.turns(2 * DRAIN)
    assert (status.current, scaling.place.pods) == (0, [])


def test_the_steps_come_in_their_order(scaling: Scaling) -> None:
    scaling.at_rest(1)
    scaling.place.boots = False  # its worker does not see the mark yet
    scaling.turns(DRAIN)
    [pod] = scaling.place.pods
    assert (scaling.marked(), pod.cost, scaling.place.scaled) == ({"w1"}, None, [])
    assert scaling.status().note == "waits for the drain of w1"
    assert scaling.status().draining == ("w1",)
    with pytest.raises(ClaimRefused):
        scaling.claim("w1")
    scaling.place.boot()
    scaling.turns()
    assert (pod.cost, scaling.place.scaled) == (DRAINED, [])
    scaling.turns()
    assert scaling.place.scaled == [(1, 0)]


def test_a_burst_gives_drained_workers_jobs_again_instead_of_starting_others(scaling: Scaling) -> None:
    released = counted("heavylift_scaling_drains_total", result="released")
    scaling.at_rest(2)
    scaling.place.boots = False
    scaling.turns(DRAIN)
    assert scaling.marked() == {"w1", "w2"}
    scaling.submit(2)
    scaling.turns()
    assert (scaling.marked(), scaling.place.scaled) == (set(), [])
    assert counted("heavylift_scaling_drains_total", result="released") == released + 2
    assert [len(scaling.claim(name)) for name in ("w1", "w2")] == [1, 1]


def test_a_job_that_came_between_the_last_two_looks_keeps_the_number(scaling: Scaling) -> None:
    scaling.at_rest(1)
    while not scaling.place.pods[0].cost:
        scaling.turns()
    scaling.place.meanwhile = scaling.submit
    status = scaling.turns()
    assert scaling.place.scaled == []
    assert "decided anew" in status.note
    scaling.turns()
    assert scaling.marked() == set()


def test_a_hold_that_came_between_the_last_two_looks_keeps_the_number(scaling: Scaling) -> None:
    scaling.at_rest(1)
    while not scaling.place.pods[0].cost:
        scaling.turns()
    scaling.place.meanwhile = lambda: scaling.place.extra.update(overrides=Overrides(hold_at=1))
    scaling.turns(3)
    assert (scaling.place.scaled, scaling.marked()) == ([], set())


def test_nothing_goes_with_too_little_of_the_leadership_left(scaling: Scaling) -> None:
    scaling.at_rest(1)
    scaling.place.leadership.seconds = LEAST_LEFT - 0.1
    assert scaling.turns(DRAIN).note == "too little is left of the leadership"
    assert scaling.place.scaled == []


def test_a_worker_that_does_not_report_is_nobodys_victim(scaling: Scaling) -> None:
    scaling.at_rest(1)
    scaling.store.run(ops.forget_workers(scaling.keys, ["w1"]))
    scaling.place.boots = False
    status = scaling.turns(DRAIN)
    assert (scaling.marked(), scaling.place.scaled) == (set(), [])
    assert status.inputs["unknown"] == 1


def test_a_worker_whose_reports_stand_still_is_unknown_in_the_end(scaling: Scaling) -> None:
    scaling.configure(min=1)
    scaling.at_rest(1)
    scaling.place.boots = False
    assert scaling.turns(25).inputs["unknown"] == 0
    assert scaling.turns(10).inputs["unknown"] == 1


def test_a_pod_may_be_at_work_under_another_name(scaling: Scaling) -> None:
    scaling.place.boots = False
    scaling.place.replicas = 1
    scaling.place.pods = [Put("w1", Stage.STARTING)]
    scaling.work("somebody")
    status = scaling.turns(DRAIN)
    assert (status.running, status.inputs["unknown"], scaling.marked()) == (1, 1, set())


def test_a_worker_that_went_unmarked_is_counted_and_told(scaling: Scaling) -> None:
    wrong = counted("heavylift_scaling_drains_total", result="wrong")
    scaling.configure(min=1)
    scaling.at_rest(2)
    scaling.work("w1")
    scaling.place.acts = False
    while not scaling.place.scaled:
        scaling.turns()
    assert scaling.status().going == ("w2",)
    scaling.place.pods = [pod for pod in scaling.place.pods if pod.name != "w1"]
    scaling.turns(4)
    assert counted("heavylift_scaling_drains_total", result="wrong") == wrong + 1
    assert "WrongWorkerWent" in scaling.place.notes
    assert scaling.marked() == set()  # who was to go is there, and works again


def test_while_the_place_has_yet_to_act_nobody_is_released(scaling: Scaling) -> None:
    scaling.at_rest(2)
    scaling.place.acts = False
    while not scaling.place.scaled:
        scaling.turns()
    scaling.submit(5)
    scaling.turns(2)
    assert scaling.marked() == {"w1", "w2"}
    assert scaling.place.replicas == 5
    scaling.turns(2)
    assert scaling.marked() == set()


@pytest.mark.parametrize("taken_over", [False, True])
def test_while_a_scale_in_may_still_come_whose_answer_was_lost_nobody_is_released(
    scaling: Scaling, *, taken_over: bool
) -> None:
    scaling.at_rest(2)
    scaling.place.loses = True
    while scaling.place.sent is None:
        scaling.turns()
    if taken_over:
        scaling.scaler = scaling.another()
        scaling.place.leadership.number = 2
    scaling.submit()
    scaling.turns(10)
    assert (scaling.marked(), scaling.place.scaled) == ({"w1", "w2"}, [])
    scaling.place.arrive()
    scaling.turns()
    assert scaling.place.ended == ["w1", "w2"]  # neither was given the job
    scaling.turns(2)
    assert scaling.place.scaled[:2] == [(2, 0), (0, 1)]


def test_a_scale_in_whose_request_was_lost_is_over_in_the_end(scaling: Scaling) -> None:
    scaling.at_rest(2)
    scaling.place.loses = True
    while scaling.place.sent is None:
        scaling.turns()
    scaling.submit(2)
    scaling.turns(20)
    assert (scaling.marked(), scaling.place.scaled, scaling.status().going) == (set(), [], ())


# ---- what cannot be read


def test_while_redis_is_away_nothing_changes_and_the_reason_is_shown(redis_server: RedisServer, tmp_path: Path) -> None:
    scaling = Scaling(redis_server.url, tmp_path)
    scaling.at_rest(2)
    redis_server.kill()
    for _ in range(DRAIN):
        with pytest.raises(StoreUnavailable):
            scaling.turns()
    assert (scaling.place.scaled, scaling.place.replicas) == ([], 2)
    assert scaling.place.shown[-1]["limiter"] == "frozen: redis"
    assert scaling.place.shown[-1]["waiting"] is None
    assert scaling.place.notes.count("ScalingFrozen") == 1
    assert counted("heavylift_pool_frozen") == 1
    redis_server.start()
    assert scaling.turns(2 * DRAIN).current == 0


def test_while_the_platform_is_away_nothing_changes_and_the_reason_is_shown(scaling: Scaling) -> None:
    scaling.at_rest(2)
    scaling.place.away = True
    scaling.submit(9)
    status = scaling.turns(3)
    assert (status.limiter, status.frozen, status.current, status.waiting) == ("frozen: pods", True, 2, 9)
    scaling.place.away = False
    assert scaling.turns().current == 5


def test_a_pool_that_the_platform_does_not_know_is_frozen(scaling: Scaling) -> None:
    scaling.place.unknown = True
    assert scaling.turns().limiter == "frozen: nothing is there to be scaled"


def test_a_queue_that_cannot_be_read_freezes_its_pool(scaling: Scaling) -> None:
    scaling.at_rest(1)
    scaling.redis.set(scaling.keys.leases(QUEUE), "not a hash")
    assert scaling.turns(DRAIN).limiter == "frozen: queue video"
    assert (scaling.marked(), scaling.place.scaled) == (set(), [])


@pytest.mark.parametrize(("took", "limiter", "scaled"), [(4.0, "frozen: data is 4 s old", []), (2.0, "max", [(1, 5)])])
def test_what_has_grown_old_while_the_platform_answered_freezes_a_pool(
    scaling: Scaling, took: float, limiter: str, scaled: list[tuple[int, int]]
) -> None:
    scaling.configure(max=5)
    scaling.at_rest(1)
    scaling.submit(200)

    def slow() -> None:
        scaling.time.now += took

    scaling.place.looked = slow
    assert (scaling.turns().limiter, scaling.place.scaled) == (limiter, scaled)


def test_a_pool_grows_before_others_go_on_with_what_takes_long(scaling: Scaling) -> None:
    pools = {name: {"queues": {QUEUE: {}}, "max": 5} for name in ("audio", QUEUE)}
    scaling.file.write_text(json.dumps({"pools": pools}))
    scaling.at_rest(1)
    scaling.submit(200)

    def slow(pool: str) -> None:
        scaling.time.now += 4.0 if pool == "audio" else 0.0

    scaling.place.after = slow
    assert (scaling.turns().limiter, scaling.place.scaled) == ("max", [(1, 5)])


# ---- a full Redis


@pytest.fixture
def full(scaling: Scaling) -> Iterator[None]:
    """What fills Redis up, and gives it room again."""
    scaling.submit(5)
    scaling.redis.config_set("maxmemory", 1)
    yield
    scaling.redis.config_set("maxmemory", 0)


@pytest.mark.usefixtures("full")
def test_with_a_full_redis_a_pool_grows_drains_and_another_leader_takes_over(scaling: Scaling) -> None:
    assert scaling.turns(2).current == 5
    scaling.scaler = scaling.another()
    taken = {pod.name: scaling.claim(pod.name)[0] for pod in scaling.place.pods}
    for name, claim in taken.items():
        scaling.finish(claim, name)
    assert scaling.turns(2 * DRAIN).current == 0
    assert scaling.place.scaled == [(0, 5), (5, 0)]


@pytest.mark.usefixtures("full")
def test_with_a_full_redis_workers_report_and_are_called(scaling: Scaling) -> None:
    scaling.store.run(ops.report_worker(scaling.keys, "w", WorkerReport(QUEUE, "b", 1, (QUEUE,), False, 1, 0.0, "0")))
    assert "w" in scaling.store.run(ops.read_workers(scaling.keys))
    for _ in range(2):
        scaling.store.run(ops.call_workers(scaling.keys, ["w", "v"]))
    assert [scaling.redis.llen(scaling.keys.called(name)) for name in "wv"] == [1, 1]
    assert 0 < scaling.redis.ttl(scaling.keys.called("w")) <= 600


def test_reports_of_a_foreign_type_freeze_the_pools_and_it_is_told(scaling: Scaling) -> None:
    scaling.at_rest(2)
    scaling.place.boots = False
    scaling.redis.delete(scaling.keys.workers)
    scaling.redis.set(scaling.keys.workers, "not a hash")
    for _ in range(DRAIN):
        with pytest.raises(StoreUnavailable, match="delete that key"):
            scaling.turns()
    assert (scaling.place.shown[-1]["limiter"], scaling.place.scaled) == ("frozen: redis", [])


# ---- people


def test_a_release_that_the_platform_refuses_stops_nothing_else(scaling: Scaling) -> None:
    scaling.place.extra = {"overrides": Overrides(hold_at=3, held_by="kubectl")}
    assert scaling.turns().current == 3
    scaling.place.unreleasable = True
    scaling.order("release")
    scaling.submit(5)
    status = scaling.turns(2)
    assert status.current == 5
    assert "could not be taken back" in status.note


def test_a_number_that_was_refused_and_is_no_longer_asked_for_is_forgotten(scaling: Scaling) -> None:
    scaling.at_rest(3)
    scaling.place.answer = Scaled.REFUSED
    scaling.submit(9)
    assert scaling.turns().limiter == "refused"
    scaling.order("hold", replicas=1)
    assert scaling.turns().limiter == "held by hand"


def test_an_order_holds_the_pool_until_it_is_released(scaling: Scaling) -> None:
    scaling.order("hold", replicas=2)
    status = scaling.turns(DRAIN)
    assert (status.current, status.held_by, status.hold_until, status.limiter) == (2, "ada", None, "held by hand")
    scaling.order("release")
    assert scaling.turns().held_by == ""
    assert scaling.turns(DRAIN).current == 0


def test_a_release_takes_the_hold_of_the_workerpool_back_too(scaling: Scaling) -> None:
    scaling.place.extra = {"overrides": Overrides(hold_at=3, held_by="kubectl")}
    assert scaling.turns(2).held_by == "kubectl"
    scaling.order("release")
    status = scaling.turns(2)
    assert (scaling.place.released, status.held_by) == (1, "")


def test_a_hold_outlives_its_controller_though_a_newer_order_took_its_place(scaling: Scaling) -> None:
    scaling.order("hold", replicas=2)
    scaling.turns()
    scaling.redis.delete(scaling.keys.steering)
    scaling.order("freeze-in")
    scaling.turns()
    scaling.scaler = scaling.another()
    scaling.place.leadership.number = 2
    assert (scaling.turns().held_by, scaling.place.replicas) == ("ada", 2)


def test_an_order_counts_though_one_of_another_matter_bears_a_later_time(scaling: Scaling) -> None:
    scaling.order("pause", at=time.time() + 60)
    assert scaling.turns().paused
    scaling.order("hold", replicas=2)
    assert scaling.turns().held_by == "ada"
    scaling.order("resume")
    assert not scaling.turns().paused


def test_a_number_set_beside_us_is_held_for_its_time(scaling: Scaling) -> None:
    scaling.configure(manualHoldSeconds=60)
    scaling.place.replicas = 4
    scaling.place.extra = {"scaled_by": "kubectl-scale"}
    status = scaling.turns(3)
    assert (status.held_by, status.current) == ("kubectl-scale", 4)
    assert status.hold_until == pytest.approx(time.time() + 60, abs=10)
    scaling.place.extra = {"scaled_by": "kubectl-scale", "scaled_at": time.time() - 61}
    assert scaling.turns(DRAIN).current == 0


@pytest.mark.parametrize("who", ["shadow", "owner"])
def test_a_pool_that_is_not_ours_to_scale_is_decided_upon_and_left_alone(scaling: Scaling, who: str) -> None:
    if who == "shadow":
        scaling.configure(shadow=True)
        told = "shadow: decided and told, not done"
    else:
        scaling.place.extra = {"owner": "HorizontalPodAutoscaler/video"}
        told = "HorizontalPodAutoscaler/video sets the number of workers, so we do not"
    scaling.place.replicas = 2
    assert (scaling.turns(DRAIN).note, scaling.marked()) == (told, set())
    scaling.submit(9)
    status = scaling.turns()
    assert (status.desired, status.current, scaling.place.scaled) == (5, 2, [])


# ---- leaders


def test_another_controller_goes_on_with_a_drain_and_with_what_was_learned(scaling: Scaling) -> None:
    scaling.at_rest(2)
    scaling.place.boots = False
    scaling.turns(DRAIN)
    assert scaling.marked() == {"w1", "w2"}
    scaling.place.boots = True
    scaling.scaler = scaling.another()
    scaling.place.leadership.number = 2
    status = scaling.turns(5)
    assert (status.current, scaling.place.scaled) == (0, [(2, 0)])
    scaling.turns(4)
    assert scaling.marked() == set()


def test_a_controller_that_began_without_redis_goes_on_with_what_was_kept(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    scaling = Scaling(redis_server.url, tmp_path)
    scaling.order("hold", replicas=2)
    scaling.turns(2)
    scaling.redis.delete(scaling.keys.steering)
    redis_server.kill()
    scaling.scaler = scaling.another()
    scaling.place.leadership.number = 2
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            scaling.turns()
    assert scaling.place.shown[-1]["limiter"] == "frozen: redis"
    redis_server.start()
    status = scaling.turns(DRAIN)
    assert (status.held_by, status.current) == ("ada", 2)


def test_who_was_to_go_is_looked_after_by_the_next_controller(scaling: Scaling) -> None:
    deleted = counted("heavylift_scaling_drains_total", result="deleted")
    scaling.at_rest(1)
    while not scaling.place.scaled:
        scaling.turns()
    scaling.scaler = scaling.another()
    scaling.place.leadership.number = 2
    scaling.turns(20)  # the last word of the one before may take as long
    assert counted("heavylift_scaling_drains_total", result="deleted") == deleted + 1
    assert scaling.status().going == ()


def test_from_its_first_turn_on_no_older_leader_writes(scaling: Scaling) -> None:
    older = scaling.store.run(ops.next_epoch(scaling.keys))
    scaling.turns()
    assert not scaling.store.run(ops.drain(scaling.keys, QUEUE, epoch=older, mark=["w1"]))
    assert not scaling.store.run(ops.save_memory(scaling.keys, QUEUE, older, b"{}"))


def test_a_redis_that_has_lost_the_newest_number_does_not_keep_a_leader_out(scaling: Scaling) -> None:
    scaling.redis.set(scaling.keys.epoch, 50)
    scaling.turns()
    scaling.redis.set(scaling.keys.epoch, 20)
    scaling.scaler = scaling.another()
    scaling.place.leadership.number = 2
    scaling.redis.delete(scaling.keys.draining(QUEUE))  # what is kept knows it too
    scaling.order("hold", replicas=2)
    assert scaling.turns().current == 2
    assert REGISTRY.get_sample_value("heavylift_scaling_leader") == 1


def test_a_controller_that_leads_no_more_does_nothing(scaling: Scaling) -> None:
    scaling.at_rest(1)
    scaling.place.leadership.number = None
    before = scaling.status()
    scaling.submit(5)
    scaling.turns(DRAIN)
    assert (scaling.status(), scaling.place.scaled) == (before, [])
    assert REGISTRY.get_sample_value("heavylift_scaling_leader") == 0
    assert counted("heavylift_pool_current_workers") == 0


def test_a_controller_that_is_overtaken_without_knowing_marks_and_ends_nobody(scaling: Scaling) -> None:
    scaling.at_rest(1)
    newer = scaling.store.run(ops.next_epoch(scaling.keys))
    scaling.store.run(ops.drain(scaling.keys, QUEUE, epoch=newer))
    while REGISTRY.get_sample_value("heavylift_scaling_leader"):
        scaling.turns()
        assert (scaling.marked(), scaling.place.scaled) == (set(), [])
    scaling.turns(9)
    assert (scaling.marked(), scaling.place.scaled) == (set(), [])
    assert scaling.turns(2 * DRAIN).current == 0  # if it does lead, it enters anew


def test_an_overtaken_controller_does_not_take_what_was_prepared_to_its_end(scaling: Scaling) -> None:
    scaling.at_rest(1)
    while not scaling.place.pods[0].cost:
        scaling.turns()
    newer = scaling.store.run(ops.next_epoch(scaling.keys))
    scaling.store.run(ops.save_memory(scaling.keys, QUEUE, newer, b"{}"))
    scaling.turns(2)
    assert scaling.place.scaled == []


# ---- somebody else scales out


def test_beside_keda_a_number_is_served_and_never_set_outwards(scaling: Scaling) -> None:
    scaling.served = Served()
    scaling.scaler = scaling.another()
    scaling.turns()
    scaling.submit(5)
    scaling.turns(3)
    serving = scaling.served.get(QUEUE)
    assert serving is not None
    assert (serving.number, serving.active, scaling.place.scaled) == (5, True, [])


def test_beside_keda_the_number_served_is_low_before_ours_falls(scaling: Scaling) -> None:
    scaling.served = served = Served()
    scaling.scaler = scaling.another()
    scaling.at_rest(2)
    heard: list[tuple[int, bool, int]] = []
    while not scaling.place.scaled:
        scaling.turns()
        serving = served.get(QUEUE)
        assert serving is not None
        heard.append((serving.number, serving.active, scaling.place.replicas))
    assert scaling.place.scaled == [(2, 0)]
    assert [each[:2] for each in heard[-4:]] == [(0, False)] * 4
    assert (0, True, 2) in heard


# ---- pools


def test_a_pool_that_leaves_the_file_is_forgotten_and_a_broken_file_changes_nothing(scaling: Scaling) -> None:
    scaling.order("hold", replicas=0)
    assert scaling.turns().held_by == "ada"
    scaling.file.write_text("{")
    assert scaling.turns().desired == 0
    scaling.file.write_text('{"pools": {}}')
    scaling.time.now += 1
    scaling.scaler.turn()
    assert scaling.store.run(ops.read_pools(scaling.keys)) == {}
    assert REGISTRY.get_sample_value("heavylift_pool_desired_workers", {"pool": QUEUE}) is None
    assert scaling.store.run(ops.read_steering(scaling.keys)) == {}
    assert scaling.store.run(ops.read_memories(scaling.keys)) == {}
    scaling.configure(min=1)
    status = scaling.turns()
    assert (status.current, status.held_by) == (1, "")


@pytest.mark.parametrize("pool", ["", "removed"])
def test_reports_of_workers_of_no_pool_are_dropped_too_unless_they_go_on(scaling: Scaling, pool: str) -> None:
    report = WorkerReport(pool, "boot", 1, (QUEUE,), False, 1, time.time(), "0")
    for name in ("gone", "lives"):
        scaling.store.run(ops.report_worker(scaling.keys, name, report))
    scaling.turns()
    scaling.store.run(ops.report_worker(scaling.keys, "lives", replace(report, beat=2)))
    scaling.time.now += 58
    scaling.turns()
    assert set(scaling.store.run(ops.read_workers(scaling.keys))) == {"gone", "lives"}
    scaling.time.now += 1
    scaling.turns(2)
    assert set(scaling.store.run(ops.read_workers(scaling.keys))) == {"lives"}


def test_reports_of_workers_that_are_gone_are_dropped_after_a_while(scaling: Scaling) -> None:
    scaling.at_rest(1)
    scaling.turns(DRAIN)
    assert list(scaling.store.run(ops.read_workers(scaling.keys))) == ["w1"]
    scaling.time.now += 61
    scaling.turns(2)
    assert scaling.store.run(ops.read_workers(scaling.keys)) == {}
