"""Decisions in the situations that the design names."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from heavylift_controller.scaling import (
    Limiter,
    Memory,
    Phase,
    QueueLoad,
    QueueTarget,
    Window,
    Worker,
    boot_times,
    bucket,
    decide,
    sentence,
)
from heavylift_controller.scaling.boot_times import BootMemory
from tests.unit.controller.scaling.pools import (
    NOON,
    QUEUE,
    after,
    ended,
    knowing,
    settings,
    state,
    workers,
)

EIGHT_SECONDS = ended(s8=200)
SLOW = BootMemory(weight=30, beside=0, beside_squared=0, seconds=30 * 20.0, product=0)
"""Thirty boots of 20 s."""


def test_an_empty_pool_without_jobs_stays_empty():
    decision = decide(state(), settings(), Memory())
    assert (decision.desired, decision.replicas) == (0, 0)


def test_a_first_job_gets_a_worker_at_once():
    decision = decide(state(1), settings(), Memory())
    assert (decision.replicas, decision.limiter) == (1, Limiter.SLO)


def test_a_burst_is_answered_in_one_step_from_zero():
    decision = decide(state(40, arrived=40), settings(), knowing(ended(s60=100)))
    assert (decision.replicas, decision.limiter) == (40, Limiter.SLO)


def test_short_jobs_share_workers_within_the_target():
    """A slot begins one of 2 s at 3 s (the boot), 5, 7 … of the 21 s that are planned with."""
    decision = decide(state(100, arrived=100), settings(), knowing(ended(s2=200)))
    assert 10 <= decision.replicas <= 25


def test_a_longer_target_asks_for_fewer_workers():
    asked = [
        decide(state(100, arrived=100), settings(target_wait=wait), knowing(EIGHT_SECONDS)).replicas
        for wait in (10, 30, 120)
    ]
    assert asked == sorted(asked, reverse=True)
    assert asked[-1] <= asked[0] / 4


def test_the_oldest_jobs_age_counts():
    fresh, old = (
        decide(state(20, oldest=age, arrived=20), settings(target_wait=60), knowing(EIGHT_SECONDS)).replicas
        for age in (0, 30)
    )
    assert old > fresh


def test_jobs_that_came_later_have_more_time_than_the_oldest():
    served = EIGHT_SECONDS
    memory = knowing(served)
    for second in range(30):
        memory = decide(state(second, arrived=second, now=NOON + second, served=served), settings(), memory).memory
    spread = state(30, oldest=20, arrived=30, now=NOON + 30, served=served)
    at_once = decide(spread, settings(target_wait=40), knowing(served))
    assert decide(spread, settings(target_wait=40), memory).terms.backlog < at_once.terms.backlog


def test_jobs_that_are_too_late_for_any_boot_get_a_slot_each_as_far_as_the_pool_goes():
    seen = state(50, oldest=25, crew=workers(busy=2))
    decision = decide(seen, settings(most=20), replace(knowing(EIGHT_SECONDS), boots=SLOW))
    assert decision.terms.backlog >= 45
    assert (decision.replicas, decision.limiter) == (20, Limiter.MAX)


def test_workers_that_boot_already_are_not_ordered_again():
    burst, asked = state(40, arrived=40), settings()
    first = decide(burst, asked, knowing(EIGHT_SECONDS))
    booting = after(first, burst, seconds=1, workers=workers(booting=first.replicas))
    assert decide(booting, asked, first.memory).replicas == first.replicas


def test_busy_workers_that_are_about_to_end_are_counted_on():
    served = ended(s20=200)
    beginning = state(4, arrived=8, crew=workers(busy=4, age=0), served=served)
    ending = state(4, arrived=8, crew=workers(busy=4, age=18), served=served)
    memory = knowing(served)
    assert decide(ending, settings(), memory).replicas == 4
    assert decide(beginning, settings(target_wait=20), memory).replicas > 4


def test_long_jobs_that_still_run_are_not_forgotten():
    """Of a hundred jobs seen to end all took 3 s, but thirty are running for five minutes already."""
    served, crew = ended(s3=100), workers(busy=30, age=300)
    waiting = state(20, arrived=150, crew=crew, served=served)
    naive = state(20, arrived=150, crew=workers(busy=30, age=1), served=served)
    asked = settings()
    assert decide(waiting, asked, knowing(served)).replicas > decide(naive, asked, knowing(served)).replicas


def test_jobs_of_unknown_length_are_started_few_at_first_and_all_in_time():
    asked = settings(target_wait=120)
    first = decide(state(100, arrived=100), asked, Memory())
    assert first.replicas < 40
    crew = workers(busy=first.replicas, age=60)
    later = state(100 - first.replicas, oldest=62, arrived=100, crew=crew, now=NOON + 62)
    assert decide(later, asked, first.memory).replicas == 100


def test_what_waits_counts_by_its_type_where_that_is_known():
    served = {"thumbnail": {bucket(1): 200}, "train": {bucket(3600): 20}}
    memory = knowing(served)

    def asked_for(types: dict[str, int]) -> int:
        load = QueueLoad(20, 0.0, 20, types, served)
        return decide(state(queues={QUEUE: load}), settings(), memory).replicas

    assert asked_for({"thumbnail": 20}) < asked_for({"thumbnail": 10, "train": 10}) <= asked_for({"train": 20}) == 20


def test_a_queue_of_higher_priority_takes_slots_first():
    queues = {"urgent": QueueTarget(10, priority=1), "bulk": QueueTarget(60)}
    asked = settings(queues=queues)
    loads = {"urgent": QueueLoad(10, 0, 10, {}, EIGHT_SECONDS), "bulk": QueueLoad(10, 0, 10, {}, EIGHT_SECONDS)}
    both = decide(state(queues=loads), asked, Memory()).replicas
    bulk = decide(state(queues={**loads, "urgent": QueueLoad(0)}), asked, Memory()).replicas
    assert both > bulk


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({"least": 3}, (3, Limiter.MIN)),
        ({"idle": 2}, (2, Limiter.IDLE)),
        ({"windows": (Window("0 11 * * *", 7200, 5),)}, (5, Limiter.WINDOW)),
        ({"windows": (Window("0 9 * * *", 7200, 5),)}, (0, Limiter.WORK)),
    ],
)
def test_workers_are_kept_ready_without_jobs(more, found):
    decision = decide(state(), settings(**more), Memory())
    assert (decision.replicas, decision.limiter) == found


@pytest.mark.parametrize(
    ("crew", "more", "asked", "limiter"),
    [
        ({}, {}, {"most": 7}, Limiter.MAX),
        ({"busy": 5}, {"quota_room": 2}, {}, Limiter.QUOTA),
        ({"busy": 6, "unschedulable": 1}, {}, {}, Limiter.UNSCHEDULABLE),
        ({"busy": 1, "failing": 6}, {}, {}, Limiter.FAILING),
    ],
)
def test_growth_ends_where_it_would_not_help(crew, more, asked, limiter):
    seen = state(200, oldest=20, arrived=300, crew=workers(**crew), **more)
    decision = decide(seen, settings(**asked), knowing(EIGHT_SECONDS))
    assert (decision.replicas, decision.limiter) == (7, limiter)


def test_a_pool_above_a_lowered_most_only_means_to_shrink_while_its_workers_are_busy():
    decision = decide(state(crew=workers(busy=5, idle=2)), settings(most=3), Memory())
    assert (decision.desired, decision.replicas, decision.removable) == (3, 5, 2)
    assert decision.limiter is Limiter.BUSY


def test_an_unknown_worker_is_nobodys_victim():
    decision = decide(state(crew=workers(idle=1, unknown=3)), settings(most=1), Memory())
    assert (decision.desired, decision.replicas, decision.removable) == (1, 3, 1)


def test_idle_workers_are_held_for_a_while_and_then_go():
    asked, crew = settings(), workers(busy=4)
    memory = decide(state(crew=crew), asked, Memory()).memory
    seen = [decide(state(crew=workers(idle=4), now=NOON + second), asked, memory).replicas for second in (1, 30)]
    assert seen == [4, 0]


def test_nothing_goes_while_jobs_wait():
    asked, memory = settings(target_wait=300), knowing(ended(s1=200))
    decision = decide(state(2, arrived=2, crew=workers(booting=20), now=NOON + 600), asked, memory)
    assert (decision.replicas, decision.limiter) == (20, Limiter.WAITING)


def test_idle_workers_go_although_jobs_wait_that_none_of_them_takes():
    asked, memory = settings(target_wait=300), knowing(ended(s1=200))
    decision = decide(state(2, arrived=2, crew=workers(idle=20), now=NOON + 600), asked, memory)
    assert decision.replicas < 20


def test_workers_that_fail_are_made_up_for_while_most_come_up():
    asked, memory = settings(), knowing(ended(s60=100))
    decision = decide(state(10, arrived=10, crew=workers(booting=5, failing=2)), asked, memory)
    assert decision.replicas == 12


def test_a_pod_that_fails_ends_no_growth_while_most_are_up():
    seen = state(5000, arrived=5000, crew=workers(busy=19, failing=1))
    assert decide(seen, settings(most=50), knowing(EIGHT_SECONDS)).replicas == 50


def growth(crew: dict[str, int], fate: str) -> list[int]:
    """Return the numbers decided upon for jobs without end, as what is started meets that fate, time after time."""
    memory, asked, numbers = knowing(EIGHT_SECONDS), settings(most=50), []
    for minute in range(12):
        now = NOON + 60 * minute
        decision = decide(state(5000, arrived=5000, now=now, crew=workers(**crew)), asked, memory)
        started = decision.replicas - sum(crew.values())
        booting = {**crew, "booting": started}
        memory, again = decision.memory, state(5000, arrived=5000, now=now + 1, crew=workers(**booting))
        assert decide(again, asked, memory).replicas == decision.replicas, "what is tried lets no more be tried"
        crew = {**crew, fate: crew.get(fate, 0) + started}
        numbers.append(decision.replicas)
    return numbers


@pytest.mark.parametrize("crew", [{"failing": 1}, {"busy": 1, "failing": 2}, {"busy": 3, "failing": 4}])
def test_a_pool_in_which_most_fail_grows_on_trial_and_at_once_when_that_comes_up(crew):
    numbers = growth(crew, "busy")
    assert numbers[0] <= 2 * sum(crew.values())
    assert numbers[-1] == 50


@pytest.mark.parametrize(("crew", "most"), [({"failing": 1}, 4), ({"busy": 3, "failing": 3}, 10)])
def test_a_pool_in_which_nothing_comes_up_grows_by_a_few_and_no_further(crew, most):
    numbers = growth(crew, "failing")
    assert numbers[-1] == most


def test_jobs_of_a_queue_that_is_served_no_longer_only_keep_their_workers():
    before = state(crew=workers(busy=2))
    moved = replace(before, queues={"audio": QueueLoad(0), QUEUE: QueueLoad(50)})
    decision = decide(moved, settings(queues={"audio": QueueTarget()}), Memory())
    assert decision.replicas == 2


def test_nothing_goes_during_a_rollout():
    decision = decide(state(crew=workers(idle=4), rollout=True), settings(), knowing({}))
    assert (decision.replicas, decision.limiter) == (4, Limiter.ROLLOUT)


def test_idle_workers_go_and_waiting_jobs_get_theirs_although_the_clock_was_set_back():
    asked, memory = settings(), knowing(EIGHT_SECONDS)
    for second in range(60):
        memory = decide(state(crew=workers(busy=30), arrived=second, now=NOON + second), asked, memory).memory
    for second in range(60, 220):
        seen = state(crew=workers(idle=30), arrived=60, now=NOON - 3600 + second)
        decision = decide(seen, asked, memory)
        memory = decision.memory
    assert decision.replicas == 0
    burst = state(200, arrived=260, oldest=1, now=NOON - 3600 + 220)
    assert decide(burst, asked, memory).replicas == decide(burst, asked, knowing(EIGHT_SECONDS)).replicas


def test_a_pod_that_waited_out_an_outage_makes_short_jobs_no_more_urgent():
    served, asked = ended(s1=200), settings()
    seen = state(100, arrived=100, served=served)
    memory = knowing(served)
    for pod, took in enumerate([5.0] * 60 + [7200.0]):
        memory = replace(memory, boots=boot_times.learn(memory.boots, (Worker(f"p{pod}", Phase.BOOTING, 0.0),)))
        ready = Worker(f"p{pod}", Phase.READY, took, (), took)
        memory = replace(memory, boots=boot_times.learn(memory.boots, (ready,)))
    assert decide(seen, asked, memory).replicas <= decide(seen, asked, knowing(served)).replicas + 3


def test_traffic_that_varies_by_a_job_does_not_flap():
    """Between five and seven of eight slots are busy, another number each second; jobs find free slots throughout."""
    asked, memory, replicas, changes, random = settings(), knowing(EIGHT_SECONDS), 7, 0, Random(1)
    for second in range(600):
        busy = random.choice((5, 6, 7))
        crew = workers(busy=min(busy, replicas), idle=max(0, replicas - busy))
        decision = decide(state(max(0, busy - replicas), crew=crew, now=NOON + second), asked, memory)
        memory = decision.memory
        changes += decision.replicas != replicas
        replicas = decision.replicas
    assert changes <= 6


def test_a_boot_that_takes_longer_than_the_target_is_made_up_for_by_free_workers():
    """2 jobs of 5 s a second are 10 slots; where none can be had in time, chance needs some more."""
    served, asked, replicas = ended(s5=200), settings(target_wait=5), 10
    memory = knowing(served, asked=asked)
    for second in range(400):
        crew = workers(busy=10, idle=replicas - 10)
        seen = state(crew=crew, arrived=2 * second, now=NOON + second, served=served)
        decision = decide(seen, asked, replace(memory, boots=SLOW))
        memory, replicas = decision.memory, decision.replicas
    assert 11 <= replicas <= 20
    assert decision.limiter in (Limiter.STEADY, Limiter.HOLD)


def test_a_pool_whose_jobs_are_rare_goes_to_zero_though_its_boot_takes_longer_than_the_target():
    served, asked, replicas = ended(s5=200), settings(target_wait=5), 1
    memory = knowing(served, asked=asked)
    for second in range(600):
        crew = workers(idle=replicas)
        seen = state(crew=crew, arrived=12, now=NOON + second, served=served)
        decision = decide(seen, asked, replace(memory, boots=SLOW))
        memory, replicas = decision.memory, decision.replicas
    assert replicas == 0


def test_a_sentence_tells_the_number_its_reason_and_what_it_was_reckoned_from():
    seen = state(40, oldest=2, arrived=40, crew=workers(busy=3))
    told = sentence(decide(seen, settings(), knowing(ended(s60=100))))
    assert told.startswith("43 workers instead of 3: as many begin the waiting jobs in time; 40 waiting, the oldest")
    assert "3 busy" in told


def test_a_frozen_pool_says_what_it_misses():
    told = sentence(decide(state(crew=workers(busy=2), queues=None, unread="redis"), settings(), Memory()))
    assert told == "2 workers as before: nothing is changed without data (redis)."
