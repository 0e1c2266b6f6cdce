"""What is learned, against what is known of its making."""

from __future__ import annotations

from random import Random

import pytest

from heavylift_controller.scaling import Phase, Worker, arrivals, boot_times, flapping, hold, service_times, steady
from heavylift_controller.scaling.boot_times import BootMemory
from heavylift_controller.scaling.service_times import ServiceMemory, bucket, estimate


def histogram(seconds: list[float]) -> dict[int, int]:
    counts: dict[int, int] = {}
    for each in seconds:
        counts[bucket(each)] = counts.get(bucket(each), 0) + 1
    return counts


def test_service_times_of_equal_jobs_are_found_within_their_bucket():
    found = estimate({bucket(12.0): 50.0}, [], expected=10)
    assert found.mean == pytest.approx(12, rel=0.1)
    assert found.within(5) == pytest.approx(5)
    assert found.remaining(4) == pytest.approx(8, rel=0.2)


def test_service_times_of_what_runs_correct_what_has_ended():
    """Of 1,000 jobs of 100 s on average, begun over 100 s, those that have ended are the short ones."""
    random = Random(1)
    begun = [(100 * random.random(), random.expovariate(1 / 100)) for _ in range(1000)]
    ended = [length for at, length in begun if at + length <= 100]
    running = [100 - at for at, length in begun if at + length > 100]
    weights = {key: float(count) for key, count in histogram(ended).items()}
    assert sum(ended) / len(ended) < 40
    assert estimate(weights, running, expected=10).mean == pytest.approx(100, rel=0.25)


def test_service_times_are_what_is_expected_until_a_job_has_ended_or_run_for_longer():
    assert estimate({}, [], expected=10).within(60) < 15
    assert estimate({}, [120.0] * 20, expected=10).within(60) > 40


def test_service_memory_fades_by_count_and_survives_a_reset_of_the_counters():
    memory = service_times.learn(ServiceMemory(), {bucket(1.0): 1000})
    memory = service_times.learn(memory, {bucket(1.0): 1000, bucket(9.0): 1000})
    assert estimate(memory.weights, [], expected=1).mean == pytest.approx(9, rel=0.15)
    again = service_times.learn(memory, {bucket(1.0): 5})
    assert sum(again.weights.values()) >= sum(memory.weights.values()) - 5


def test_boot_times_are_learned_as_a_line_over_the_number_that_boot():
    memory = BootMemory()
    for turn in range(30):
        together = (1, 8)[turn % 2]
        names = [f"{turn}-{number}" for number in range(together)]
        memory = boot_times.learn(memory, tuple(Worker(name, Phase.BOOTING, 0.0) for name in names))
        took = 1.9 if together == 1 else 9.5
        memory = boot_times.learn(memory, tuple(Worker(name, Phase.READY, took, (), took) for name in names))
    line = boot_times.estimate(memory)
    assert line.of(1) == pytest.approx(1.9, abs=0.3)
    assert line.of(8) == pytest.approx(9.5, abs=0.3)


def booted(memory: BootMemory, *took: float, beside: int = 0) -> BootMemory:
    """Return the memory after boots one after the other, each with so many beside it that take as long."""
    for turn, seconds in enumerate(took):
        names = [f"{memory.seconds}-{turn}-{number}" for number in range(1 + beside)]
        memory = boot_times.learn(memory, tuple(Worker(name, Phase.BOOTING, 0.0) for name in names))
        memory = boot_times.learn(memory, tuple(Worker(name, Phase.READY, seconds, (), seconds) for name in names))
    return memory


@pytest.mark.parametrize("beside", [0, 7])
def test_pods_that_waited_out_an_outage_tell_little_of_boots(beside):
    memory = booted(booted(BootMemory(), *[5.0] * 60), 7200.0, beside=beside)
    assert boot_times.estimate(memory).of(1) < 8
    assert boot_times.estimate(memory).of(8) < 30
    assert boot_times.estimate(booted(memory, *[5.0] * 10)).of(1) < 6.5


def test_a_pool_whose_first_pod_waited_out_an_outage_learns_its_boots_nevertheless():
    assert boot_times.estimate(booted(BootMemory(), 7200.0, *[5.0] * 5)).of(1) < 10


@pytest.mark.parametrize(("before", "boots"), [(0, 6), (60, 12)])
def test_boots_that_are_slow_time_after_time_are_believed(before, boots):
    memory = booted(booted(BootMemory(), *[5.0] * before), *[300.0] * boots)
    assert boot_times.estimate(memory).of(1) > 150


def test_an_arrival_rate_is_learned_and_a_reset_counter_is_no_negative_rate():
    memory = None
    for second in range(600):
        memory = arrivals.learn(memory, 3 * second, float(second))
    assert memory is not None
    assert memory.rate == pytest.approx(3, rel=0.01)
    assert arrivals.learn(memory, 0, 700.0).rate >= 0


@pytest.mark.parametrize("step", [-3600.0, -0.5])
def test_a_clock_that_is_set_back_makes_waiting_jobs_neither_older_nor_younger(step):
    memory = None
    for second in range(101):
        memory = arrivals.learn(memory, second, float(second))
    for second in range(101, 104):
        memory = arrivals.learn(memory, second, second + step)
    assert memory is not None
    for now in (103 + step, 103 + step - 3600):  # it may also be set while nothing is learned
        ages = [age for _, age in arrivals.groups(memory, 30, oldest_age=30, now=now)]
        assert ages == sorted(ages, reverse=True)
        assert 0 <= ages[-1] <= 8


def test_a_rate_of_arrivals_outlasts_a_clock_that_is_set_back():
    memory = None
    for second in range(600):
        memory = arrivals.learn(memory, 3 * second, float(second))
    for second in range(600, 620):
        memory = arrivals.learn(memory, 3 * second, second - 3600.0)
    assert memory is not None
    assert memory.rate == pytest.approx(3, rel=0.03)


def test_waiting_jobs_ages_follow_from_when_the_last_came():
    """One a second came; the last thirty wait, so the oldest has waited 30 s and the newest not at all."""
    memory = None
    for second in range(101):
        memory = arrivals.learn(memory, second, float(second))
    assert memory is not None
    found = arrivals.groups(memory, 30, oldest_age=30, now=100)
    assert sum(count for count, _ in found) == 30
    ages = [age for _, age in found]
    assert ages == sorted(ages, reverse=True)
    assert ages[0] == 30
    assert ages[-1] <= 8


@pytest.mark.parametrize(("gap", "choice"), [(3, 4.0), (100, 2.0)])
def test_the_hold_is_as_long_as_pays(gap, choice):
    """Workers are wanted for 5 s, again and again: a short gap is bridged, a long one is not."""
    memory, now = None, 0.0
    for _ in range(40):
        for wanted, seconds in ((10, 5), (0, gap)):
            for _ in range(seconds):
                memory = hold.learn(memory, wanted, now, restart=8)
                now += 1
    assert memory is not None
    assert hold.CHOICES[hold.chosen(memory)] == choice


@pytest.mark.parametrize("step", [-3600.0, -30.0, 3600.0])
def test_a_clock_that_is_set_anew_keeps_no_idle_worker_for_longer(step):
    memory = hold.learn(hold.learn(None, 30, 0.0, restart=8), 30, 60.0, restart=8)
    memory = hold.learn(memory, 0, 61.0 + step, restart=8)
    assert memory.kept[0] == (30 if step < 0 else 0), "what was wanted a second ago is forgotten only after an hour"
    for second in range(62, 200):
        memory = hold.learn(memory, 0, second + step, restart=8)
    assert memory.kept == (0,) * len(hold.CHOICES)


def test_a_clock_that_is_set_back_is_no_regret():
    memory = flapping.learn(flapping.learn(None, 3, 3600.0), 2, 3601.0)
    assert flapping.learn(memory, 3, 3602.0).regrets == 1
    assert flapping.learn(memory, 3, 2.0).regrets == 0


def test_scale_ins_that_are_regretted_lengthen_the_hold_until_they_are_forgotten():
    memory, now = None, 0.0
    for replicas in [3, 2] * 12:
        memory = flapping.learn(memory, replicas, now)
        now += 5
    assert memory is not None
    assert memory.steps == 2
    assert flapping.learn(memory, 2, now + 3600).steps == 0


def test_square_root_staffing_keeps_late_jobs_below_the_share():
    """Simulated: a queue with many servers, Poisson arrivals, exponential lengths."""
    slots = steady.slots_for(20.0, budget=5.0, seconds=10.0)
    random, free, late, now, count = Random(2), [0.0] * slots, 0, 0.0, 20_000
    for _ in range(count):
        now += random.expovariate(2.0)
        first = min(range(slots), key=free.__getitem__)
        begins = max(now, free[first])
        late += begins - now > 5.0
        free[first] = begins + random.expovariate(1 / 10)
    assert 20 < slots < 30
    assert late / count < 0.02
