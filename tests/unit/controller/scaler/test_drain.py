from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heavylift_controller.scaler.drain import (
    LEAST_HOLD,
    PATIENCE,
    RENEW_BELOW,
    Going,
    Member,
    Plan,
    Seen,
    Shrink,
    plan,
    verdict,
)
from heavylift_controller.scaler.platform import DRAINED, Stage


def idle(name: str, **changes) -> Member:
    return replace(Member(name, Stage.RUNNING, ready=True, idle=1.0), **changes)


def busy(name: str, **changes) -> Member:
    return idle(name, busy=True, idle=0.0, **changes)


def pending(name: str, **changes) -> Member:
    return idle(name, stage=Stage.PENDING, ready=False, **changes)


def marked(member: Member, *, hold: float = 600.0) -> Member:
    return replace(member, mark=hold)


def drained(member: Member) -> Member:
    """Marked, and not ready any more."""
    return replace(marked(member), ready=False)


def first(member: Member) -> Member:
    """Drained, and the first to go."""
    return replace(drained(member), cost=DRAINED)


def seen(*members: Member, **changes) -> Seen:
    return replace(Seen(len(members), members, left=8.0), **changes)


def test_nothing_is_done_while_the_number_stands():
    assert plan(seen(busy("a"), idle("b")), 2) == Plan()


def test_victims_are_marked_first():
    step = plan(seen(busy("a"), idle("b"), idle("c")), 1)
    assert (step.mark, step.cost, step.shrink) == (("b", "c"), (), None)
    assert step.waits_for == "waits for the drain of b, c"


def test_a_drained_victim_is_made_the_first_to_go_and_only_then_the_number_falls():
    assert plan(seen(busy("a"), marked(idle("b"))), 1).cost == ()
    step = plan(seen(busy("a"), drained(idle("b"))), 1)
    assert (step.cost, step.shrink) == (("b",), None)
    assert plan(seen(busy("a"), first(idle("b"))), 1) == Plan(victims=("b",), shrink=Shrink(1, frozenset("b")))


def test_who_goes_first():
    members = [
        idle("briefly", idle=1),
        idle("long", idle=9),
        idle("starting", stage=Stage.STARTING, ready=False),
        marked(idle("marked")),
        busy("busy"),
        idle("unknown", unknown=True),
        pending("pending"),
        idle("failing", stage=Stage.FAILING, ready=False),
    ]
    order = [plan(seen(*members), 8 - count).victims for count in range(1, 7)]
    assert order[-1] == ("failing", "pending", "starting", "marked", "long", "briefly")
    assert order == [order[-1][:count] for count in range(1, 7)]


def test_a_victim_that_got_a_job_before_its_mark_is_released_and_another_one_taken():
    step = plan(seen(busy("a", mark=600.0), idle("b"), idle("c", ready=True)), 2)
    assert (step.release, step.mark, step.victims) == (("a",), ("b",), ("b",))


def test_marks_that_soon_end_or_are_missing_in_a_queue_are_set_anew():
    step = plan(seen(marked(idle("a"), hold=299), marked(idle("b"), hold=0), marked(idle("c"), hold=301)), 0)
    assert set(step.mark) == {"a", "b"}


def test_a_burst_takes_everything_back():
    members = (busy("a"), marked(idle("b")), first(idle("c")))
    step = plan(seen(*members, strays=frozenset({"gone"})), 3)
    assert step == Plan(release=("b", "c", "gone"), uncost=("c",))
    assert plan(seen(*members), 9) == Plan(release=("b", "c"), uncost=("c",))


@pytest.mark.parametrize("unrest", [{"settled": False}, {"replicas": 2}, {"surplus": {"old": 1}}])
def test_no_mark_is_taken_back_while_somebody_may_be_about_to_go(unrest):
    step = plan(seen(busy("a"), first(idle("b")), marked(idle("c")), strays=frozenset("d"), **unrest), 9)
    assert (step.release, step.uncost, step.shrink) == ((), (), None)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"settled": False}, "the last change of the number has not settled"),
        ({"replicas": 2}, "the last change of the number has not settled"),
        ({"left": 4.9}, "too little is left of the leadership"),
        ({"rollout": True}, "nothing is scaled in: a rollout is under way"),
        ({"surplus": {"old": 1}}, "nothing is scaled in: workers wait to be drained for another change"),
    ],
)
def test_the_number_does_not_fall_and_it_is_told_why(changes, told):
    members = (busy("a"), busy("b"), first(idle("c")))
    assert plan(seen(*members), 1 if "replicas" in changes else 2).shrink or "replicas" in changes
    step = plan(seen(*members, **changes), 1 if "replicas" in changes else 2)
    assert (step.shrink, step.waits_for) == (None, told)


@pytest.mark.parametrize(
    ("member", "told"),
    [
        (pending("b"), "waits for b to be ready: until then it could go instead"),
        (idle("b", ready=False, busy=True), "waits for b to be ready: until then it could go instead"),
        (busy("b", cost=DRAINED), "waits for b to be ready: until then it could go instead"),
        (busy("b", cost=-5), "nothing is scaled in: somebody else has set a deletion cost on b"),
    ],
)
def test_nothing_goes_while_another_pod_could_go_instead(member, told):
    before = seen(busy("a"), member, first(pending("c")))
    step = plan(before, 2)
    assert (step.shrink, step.waits_for) == (None, told)


def test_a_pending_pod_is_a_victim_where_there_is_room():
    assert plan(seen(busy("a"), pending("b"), first(idle("c"))), 1).mark == ("b",)


def test_a_mark_that_ends_too_soon_is_no_mark():
    almost = replace(first(idle("b")), mark=LEAST_HOLD - 1)
    assert plan(seen(busy("a"), almost), 1).shrink is None


def test_after_a_while_those_that_are_drained_go_without_the_others():
    before = seen(busy("a"), first(idle("b")), marked(idle("c")))
    assert plan(before, 1).shrink is None
    assert plan(replace(before, waited=PATIENCE), 1).shrink == Shrink(2, frozenset("b"))


def test_workers_that_were_never_made_are_given_up_by_the_number_alone():
    assert plan(seen(busy("a"), busy("b"), replicas=5), 2).shrink == Shrink(2, frozenset())
    assert plan(seen(busy("a"), first(idle("b")), replicas=5), 1).shrink == Shrink(1, frozenset("b"))


def test_a_rollout_that_waits_for_us_gets_its_workers_drained_even_the_busy_ones():
    old = [busy("a", revision="old"), idle("b", revision="old"), busy("c", revision="new")]
    step = plan(seen(*old, surplus={"old": 2}, rollout=True), 3)
    assert (step.victims, step.mark, step.cost) == (("b", "a"), ("b", "a"), ())
    step = plan(seen(marked(old[0]), drained(old[1]), old[2], surplus={"old": 2}, rollout=True), 3)
    assert (step.cost, step.shrink, step.release) == (("b",), None, ())


def test_a_rollout_gets_back_what_it_waits_for_and_not_what_a_lower_number_takes():
    members = [marked(idle("new", revision="new")), first(idle("old", revision="old")), busy("c", revision="old")]
    step = plan(seen(*members, rollout=True, settled=False, replicas=2), 2)
    assert (step.release, step.uncost) == (("new",), ())


def test_it_is_told_whom_a_rollout_waits_for():
    old = [busy("a", revision="old"), idle("b", revision="old")]
    step = plan(seen(*old, surplus={"old": 2}, rollout=True), 2)
    assert step.waits_for == "a change waits for the jobs of a"


def test_a_worker_that_does_not_report_holds_a_rollout_up_and_is_named():
    old = [idle("a", unknown=True, revision="old"), idle("b", revision="old"), idle("c", unknown=True, revision="new")]
    step = plan(seen(*old, surplus={"old": 2}, rollout=True), 2)
    assert step.victims == ("b",)
    assert step.waits_for == "a change waits for a: no report comes from there; delete what runs nothing"


def test_of_a_surplus_those_stay_victims_that_are_marked():
    old = [marked(busy("a", revision="old")), idle("b", revision="old")]
    assert plan(seen(*old, surplus={"old": 1}), 2).victims == ("a",)


def test_who_went_is_told_apart():
    going = Going(frozenset("ab"), frozenset("cd"), 2)
    found = verdict(going, frozenset("bc"))
    assert (found.deleted, found.wrong) == (frozenset("a"), frozenset("d"))


few = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""On a busy machine drawing a pool takes longer than Hypothesis likes."""


@st.composite
def a_member(draw, name: str) -> Member:
    stage = draw(st.sampled_from(Stage))
    return Member(
        name,
        stage,
        ready=stage is Stage.RUNNING and draw(st.booleans()),
        cost=draw(st.sampled_from((None, None, DRAINED, -1))),
        revision=draw(st.sampled_from(("old", "new"))),
        busy=draw(st.booleans()),
        unknown=draw(st.booleans()),
        mark=draw(st.sampled_from((None, 0.0, 59.0, 61.0, 600.0))),
        idle=draw(st.floats(0, 100)),
    )


@st.composite
def a_scene(draw) -> tuple[Seen, int]:
    members = tuple(draw(a_member(f"w{number}")) for number in range(draw(st.integers(0, 6))))
    replicas = max(0, len(members) + draw(st.integers(-1, 2)))
    scene = Seen(
        replicas,
        members,
        strays=draw(st.frozensets(st.sampled_from(("x", "y")))),
        settled=draw(st.booleans()),
        rollout=draw(st.booleans()),
        surplus=draw(st.sampled_from(({}, {}, {"old": 2}))),
        left=draw(st.sampled_from((0.0, 4.9, 5.0, 8.0))),
        waited=draw(st.sampled_from((0.0, PATIENCE))),
    )
    return scene, draw(st.integers(0, 8))


@st.composite
def a_nearly_drained_scene(draw) -> tuple[Seen, int]:
    """Scenes of which many let the number fall."""
    kinds = st.sampled_from((busy, idle, lambda name: first(idle(name)), lambda name: first(pending(name))))
    members = [draw(kinds)(f"w{number}") for number in range(draw(st.integers(1, 6)))]
    if draw(st.booleans()):
        members.append(draw(a_member("odd")))
    return seen(*members, waited=PATIENCE), draw(st.integers(0, len(members)))


scenes = st.one_of(a_scene(), a_nearly_drained_scene())


@few
@given(scenes)
def test_nobody_goes_with_a_job_or_who_might_have_one(case):
    scene, wanted = case
    by_name = {member.name: member for member in scene.members}
    step = plan(scene, wanted)
    firsts = [by_name[name] for name in (*step.cost, *(step.shrink.going if step.shrink else ()))]
    assert not any(member.busy or member.unknown or member.ready for member in firsts)
    assert all((member.mark or 0.0) >= LEAST_HOLD for member in firsts)
    if not scene.surplus:
        new = [by_name[name] for name in step.mark if by_name[name].mark is None]
        assert not any(member.busy or member.unknown for member in new)


@pytest.mark.parametrize("mark", [RENEW_BELOW - 1, LEAST_HOLD, 1.0, None])
def test_who_waits_to_be_ended_stays_marked_however_long_that_takes(mark):
    gone_soon = replace(first(idle("a")), mark=mark)
    step = plan(seen(gone_soon, busy("b"), replicas=1), 1)
    assert step.mark == ("a",)
    assert step.release == ()


@few
@given(scenes)
def test_the_number_falls_only_where_it_can_be_told_who_goes(case):
    scene, wanted = case
    step = plan(scene, wanted)
    if step.shrink is None:
        return
    going = [member for member in scene.members if member.name in step.shrink.going]
    staying = [member for member in scene.members if member.name not in step.shrink.going]
    assert scene.settled
    assert scene.left >= 5
    assert not scene.rollout
    assert not scene.surplus
    assert all(member.cost == DRAINED and not member.ready for member in going)
    assert all(member.well for member in staying)
    assert step.shrink.to == max(wanted, len(staying))
    assert step.shrink.to < scene.replicas


@few
@given(scenes)
def test_no_mark_is_taken_back_in_unrest_and_none_of_a_victims(case):
    scene, wanted = case
    step = plan(scene, wanted)
    if not scene.settled or (len(scene.members) > scene.replicas and not scene.rollout):
        released = [member for member in scene.members if member.name in step.release]
        assert step.uncost == ()
        assert all(scene.rollout and member.cost is None for member in released)
    assert not set(step.release) & set(step.victims)
    assert not set(step.uncost) & set(step.victims)
    assert not set(step.mark) & set(step.release)


@few
@given(scenes)
def test_a_burst_leaves_nobody_marked_once_all_is_calm(case):
    scene, _ = case
    calm = replace(scene, settled=True, surplus={}, rollout=False, replicas=len(scene.members))
    step = plan(calm, calm.replicas + 1)
    assert step.victims == step.mark == step.cost == ()
    assert set(step.release) == {each.name for each in calm.members if each.mark is not None} | calm.strays
    assert set(step.uncost) == {each.name for each in calm.members if each.cost == DRAINED}
