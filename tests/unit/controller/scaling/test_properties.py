from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heavylift_controller.scaling import (
    Memory,
    Phase,
    PoolSettings,
    PoolState,
    QueueLoad,
    QueueTarget,
    Running,
    Worker,
    bucket,
    decide,
    dump,
    load,
    sentence,
)
from heavylift_controller.scaling.learning import Estimates
from tests.unit.controller.scaling.pools import NOON, ended, knowing, state, workers
from tests.unit.controller.scaling.pools import settings as pool_settings

QUEUES = ("fast", "slow")
TYPES = ("short", "long")
seconds = st.floats(0, 2000)
few = settings(max_examples=40, deadline=None)
"""A state of a whole pool is slow to draw; these are drawn at every run, and differ."""


@st.composite
def a_worker(draw, slots: int) -> Worker:
    phase = draw(st.sampled_from(Phase))
    may_run = phase in (Phase.READY, Phase.DRAINING, Phase.UNKNOWN)
    jobs = st.builds(Running, st.sampled_from(QUEUES), st.sampled_from(TYPES), seconds)
    running = draw(st.lists(jobs, max_size=slots)) if may_run else []
    booted_in = None if phase is Phase.BOOTING else draw(st.floats(0.1, 100))
    return Worker(draw(st.uuids()).hex, phase, draw(seconds), tuple(running), booted_in)


@st.composite
def a_load(draw) -> QueueLoad:
    buckets = st.dictionaries(st.integers(0, bucket(3600.0)), st.integers(0, 500), max_size=5)
    return QueueLoad(
        waiting=draw(st.integers(0, 2000)),
        oldest_age=draw(seconds),
        arrived=draw(st.integers(0, 100_000)),
        waiting_types=draw(st.dictionaries(st.sampled_from(TYPES), st.integers(0, 500))),
        served=draw(st.dictionaries(st.sampled_from(TYPES), buckets)),
    )


@st.composite
def a_case(draw) -> tuple[PoolState, PoolSettings, Memory]:
    """A state, settings and what was learned in some other states before."""
    slots, least = draw(st.integers(1, 8)), draw(st.integers(0, 5))
    targets = {name: QueueTarget(draw(st.floats(1, 600)), draw(st.integers(0, 3))) for name in QUEUES}
    most = draw(st.integers(least, 60))
    asked = PoolSettings(targets, slots=slots, least=least, most=most, idle=draw(st.integers(0, 3)))
    memory, now = Memory(), NOON
    states = []
    for _ in range(draw(st.integers(1, 4))):
        now += draw(st.floats(0, 100))
        crew = tuple(draw(st.lists(a_worker(slots), max_size=12)))
        queues = {name: draw(a_load()) for name in QUEUES}
        states.append(PoolState(now, len(crew) + draw(st.integers(0, 3)), queues, crew))
    for earlier in states[:-1]:
        memory = decide(earlier, asked, memory).memory
    return states[-1], asked, memory


def with_more_waiting(before: PoolState, more: int) -> PoolState:
    assert before.queues is not None
    queues = {
        name: replace(load, waiting=load.waiting + more, waiting_types={}) for name, load in before.queues.items()
    }
    return replace(before, queues=queues)


@few
@given(a_case(), st.integers(0, 50), st.integers(1, 500))
def test_more_waiting_jobs_never_mean_fewer_workers(case, some, more):
    before, asked, memory = case
    fewer, many = (with_more_waiting(before, number) for number in (some, some + more))
    assert decide(many, asked, memory).desired >= decide(fewer, asked, memory).desired


@few
@given(waiting=st.integers(1, 300), service=st.floats(0.5, 60), target=st.floats(5, 300), share=st.floats(0.1, 0.9))
def test_while_what_a_burst_asked_for_boots_as_learned_no_more_is_asked_for(waiting, service, target, share):
    asked = pool_settings(target_wait=target)
    served = ended(**{f"s{service}": 100})
    memory = knowing(served, asked=asked)
    first = decide(state(waiting, served=served, arrived=waiting), asked, memory)
    boot = Estimates(first.memory, asked, ()).boot.of(first.replicas)
    passed, seen_late = share * boot, 0.05 * boot
    crew = workers(booting=first.replicas, age=passed - seen_late)
    later = state(waiting, oldest=passed, now=NOON + passed, crew=crew, served=served, arrived=waiting)
    assert decide(later, asked, first.memory).desired == first.desired


@few
@given(a_case())
def test_what_is_asked_for_stays_between_least_and_most(case):
    before, asked, memory = case
    decision = decide(before, asked, memory)
    blocked = any(worker.phase in (Phase.UNSCHEDULABLE, Phase.FAILING) for worker in before.workers)
    assert decision.desired <= asked.most
    assert decision.desired >= (min(asked.least, before.replicas) if blocked else asked.least)


@few
@given(a_case())
def test_workers_that_hold_a_job_or_might_are_never_given_up(case):
    before, asked, memory = case
    decision = decide(before, asked, memory)
    staying = sum(bool(worker.running) or worker.phase is Phase.UNKNOWN for worker in before.workers)
    assert decision.replicas >= min(staying, before.replicas)
    assert before.replicas - decision.replicas <= decision.removable


@few
@given(a_case(), st.sampled_from(["queues", "workers", "a queue", "stale"]))
def test_nothing_changes_while_anything_could_not_be_read(case, missing):
    before, asked, memory = case
    changes = {
        "queues": {"queues": None, "unread": "redis"},
        "workers": {"workers": None, "unread": "pods"},
        "a queue": {"queues": {"fast": before.queues["fast"]}},
        "stale": {"read_ago": 30.0},
    }
    decision = decide(replace(before, **changes[missing]), asked, memory)
    assert decision.desired == decision.replicas == before.replicas
    assert decision.reason.startswith("frozen: ")


@few
@given(a_case())
def test_the_same_seen_again_changes_nothing(case):
    before, asked, memory = case
    first = decide(before, asked, memory)
    assert decide(before, asked, memory) == first
    assert decide(before, asked, first.memory).desired == first.desired


@few
@given(a_case())
def test_what_was_learned_survives_a_change_of_leaders(case):
    before, asked, memory = case
    stored = load(dump(memory))
    assert stored == memory
    assert decide(before, asked, stored) == decide(before, asked, memory)


@few
@given(a_case())
def test_every_decision_can_be_told_in_one_sentence(case):
    before, asked, memory = case
    told = sentence(decide(before, asked, memory))
    assert told.endswith(".")
    assert "None" not in told


@pytest.mark.parametrize("word", ["paused", "freeze_in", "freeze_out"])
@few
@given(case=a_case())
def test_a_persons_word_stands(word, case):
    before, asked, memory = case
    decision = decide(before, replace(asked, **{word: True}), memory)
    shrinks, grows = decision.desired < before.replicas, decision.desired > before.replicas
    assert not (shrinks and word in ("paused", "freeze_in"))
    assert not (grows and word in ("paused", "freeze_out"))


@few
@given(a_case(), st.integers(0, 200))
def test_a_number_held_by_hand_stands_whatever_is_known(case, number):
    before, asked, memory = case
    asked = replace(asked, hold_at=number)
    assert decide(before, asked, memory).desired == number
    assert decide(replace(before, queues=None), asked, memory).desired == number
