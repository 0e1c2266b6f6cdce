from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heavylift.operations import Lease
from heavylift_controller.contact import Contact
from heavylift_controller.lease_watch import LeaseWatch, Look

A = Lease("a", "boot:1", 5)
B = Lease("b", "boot:2", 9)


def beat(lease: Lease, by: int = 1) -> Lease:
    return lease._replace(beats=lease.beats + by)


@dataclass(frozen=True)
class Answer:
    look: Look
    connection: int


class Watch:
    """A queue's watch, in contact as the reaper is."""

    def __init__(self) -> None:
        self.contact = Contact(largest_gap=3)
        self._leases = LeaseWatch(period=15)

    def judge(self, answer: Answer) -> list[Lease]:
        self.contact.answered(answer.look.answered, connection=answer.connection)
        return self._leases.judge(answer.look, contact_since=self.contact.since)


def look(at: float, *leases: Lease, took: float = 0.0, connection: int = 1) -> Answer:
    return Answer(Look(leases, asked=at, answered=at + took), connection)


def every_second(until: int, *leases: Lease) -> list[Answer]:
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
    watch = Watch()
    verdicts = [watch.judge(each) for each in looks]
    assert verdicts[-1] == dead


def test_lost_contact_gives_every_lease_a_fresh_period() -> None:
    watch = Watch()
    for each in every_second(14, A, B):
        watch.judge(each)
    watch.contact.lose()
    verdicts = [watch.judge(look(at, A, B)) for at in range(15, 31)]
    assert verdicts == [[]] * 15 + [[A, B]]


def test_answers_about_other_queues_keep_contact_between_two_looks_far_apart() -> None:
    watch = Watch()
    assert watch.judge(look(0, A)) == []
    for at in range(1, 20):
        watch.contact.answered(at, connection=1)
    assert watch.judge(look(20, A)) == [A]


@pytest.mark.parametrize(("at", "connection"), [(5, 1), (2, 2)], ids=["gap", "new connection"])
def test_a_break_that_another_queues_answer_showed_gives_a_fresh_period(at: int, connection: int) -> None:
    watch = Watch()
    watch.judge(look(0, A))
    for now in range(at, 20):
        watch.contact.answered(now, connection=connection)
    looks = [look(now, A, connection=connection) for now in range(20, 36)]
    assert [watch.judge(each) for each in looks] == [[]] * 15 + [[A]]


@given(
    st.lists(
        st.tuples(st.floats(0.1, 20), st.floats(0, 5), st.sampled_from(["look", "error", "reconnect"])), max_size=60
    )
)
def test_whatever_happens_to_the_reaper_a_worker_that_reaches_redis_when_it_does_loses_nothing(steps) -> None:
    watch, now, lease, connection = Watch(), 0.0, A, 1
    for wait, took, step in steps:
        now += wait
        if step == "error":
            watch.contact.lose()
            continue
        connection += step == "reconnect"
        lease = beat(lease)
        assert watch.judge(look(now, lease, took=took, connection=connection)) == []
        now += took


@given(st.lists(st.floats(0.1, 2.9), min_size=1, max_size=80))
def test_in_unbroken_contact_a_silent_lease_dies_at_the_first_look_after_its_period(waits) -> None:
    watch, now = Watch(), 0.0
    assert watch.judge(look(0, A)) == []
    for wait in waits:
        now += wait
        assert watch.judge(look(now, A)) == ([A] if now >= 15 else [])
