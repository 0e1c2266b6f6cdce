from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heavylift.operations import Lease
from heavylift_controller.lease_watch import LeaseWatch, Look

A = Lease("a", "boot:1", 5)
B = Lease("b", "boot:2", 9)


def beat(lease: Lease, by: int = 1) -> Lease:
    return lease._replace(beats=lease.beats + by)


def watch() -> LeaseWatch:
    return LeaseWatch(period=15, largest_gap=3)


def look(at: float, *leases: Lease, took: float = 0.0, connection: int = 1) -> Look:
    return Look(leases, asked=at, answered=at + took, connection=connection)


def every_second(until: int, *leases: Lease) -> list[Look]:
    return [look(at, *leases) for at in range(until + 1)]


@pytest.mark.parametrize(
    ("looks", "dead"),
    [
        pytest.param([look(0, A)], [], id="first look"),
        pytest.param(every_second(14, A), [], id="not quite a period"),
        pytest.param(every_second(15, A), [A], id="a whole period"),
        pytest.param([*every_second(14, A), look(15, beat(A))], [], id="renewed in the last moment"),
        pytest.param([*every_second(14, A), look(15, beat(A, -3))], [], id="counter rolled back"),
        pytest.param([*every_second(14, A), look(15, A._replace(token="boot:7"))], [], id="another attempt"),
        pytest.param([*every_second(14, A), look(15, A, B)], [A], id="a younger lease is judged by itself"),
        pytest.param([*every_second(14, A), look(15)], [], id="ended"),
        pytest.param([*every_second(12, A), look(13), look(14, A), look(15, A)], [], id="gone and back"),
        pytest.param([*every_second(14, A), look(15, A, connection=2)], [], id="new connection"),
        pytest.param([*every_second(10, A), look(14, A), look(15, A)], [], id="gap"),
        pytest.param([*every_second(12, A), look(15, A)], [A], id="largest gap that is none"),
        pytest.param([*every_second(14, A), look(14.9, A, took=60)], [], id="paused between command and reply"),
        pytest.param([*every_second(14, A), look(9_000, A)], [], id="paused between looks"),
        pytest.param([*every_second(14, A), look(14.9, A, took=2)], [], id="a slow last answer does not hasten it"),
        pytest.param([look(0, A, took=2), *every_second(15, A)[1:]], [], id="a slow first answer delays the judgement"),
    ],
)
def test_a_lease_is_dead_after_a_whole_period_of_unbroken_contact_without_renewal(looks, dead) -> None:
    judge = watch()
    verdicts = [judge.judge(each) for each in looks]
    assert verdicts[-1].dead == dead


def test_lost_contact_gives_every_lease_a_fresh_period() -> None:
    judge = watch()
    for each in every_second(14, A, B):
        judge.judge(each)
    judge.lose_contact()
    verdicts = [judge.judge(look(at, A, B)).dead for at in range(15, 31)]
    assert verdicts == [[]] * 15 + [[A, B]]


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        (look(1, A), None),
        (look(1, A, connection=2), "new connection"),
        (look(4, A), "gap between answers"),
    ],
)
def test_a_verdict_says_why_periods_are_fresh(second: Look, reason: str | None) -> None:
    judge = watch()
    judge.judge(look(0, A))
    assert judge.judge(second).interrupted == reason


@given(
    st.lists(
        st.tuples(st.floats(0.1, 20), st.floats(0, 5), st.sampled_from(["look", "error", "reconnect"])), max_size=60
    )
)
def test_whatever_happens_to_the_reaper_a_worker_that_reaches_redis_when_it_does_loses_nothing(steps) -> None:
    judge, now, lease, connection = watch(), 0.0, A, 1
    for wait, took, step in steps:
        now += wait
        if step == "error":
            judge.lose_contact()
            continue
        connection += step == "reconnect"
        lease = beat(lease)
        assert judge.judge(look(now, lease, took=took, connection=connection)).dead == []
        now += took


@given(st.lists(st.floats(0.1, 2.9), min_size=1, max_size=80))
def test_in_unbroken_contact_a_silent_lease_dies_at_the_first_look_after_its_period(waits) -> None:
    judge, now = watch(), 0.0
    assert judge.judge(look(0, A)).dead == []
    for wait in waits:
        now += wait
        assert judge.judge(look(now, A)).dead == ([A] if now >= 15 else [])
