"""The desk: how much may be claimed, and who may be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from heavylift.ids import new_job_id
from heavylift.operations import Claim, Claimant, Ending, Outcome
from heavylift_worker.desk import Desk, kill_group
from tests.waiting import wait_until

LOST = Ending(Outcome.LOST)
RELEASED = Ending(Outcome.RELEASED)


def _claim(*, alone: bool = False, token: str = "boot:1") -> Claim:
    return Claim(new_job_id("video"), token, b"{}", "video.test", b"{}", attempt=1, alone=alone)


@pytest.fixture
def desk() -> Desk:
    return Desk(Claimant("worker-1", "boot"), slots=3)


@pytest.fixture
def start_child() -> Iterator[Callable[[], subprocess.Popen]]:
    """Start processes that lead a group of their own, as the pool's children do."""
    started: list[subprocess.Popen] = []

    def start() -> subprocess.Popen:
        command = [sys.executable, "-S", "-c", "import time; time.sleep(60)"]
        started.append(subprocess.Popen(command, process_group=0))
        return started[-1]

    yield start
    for each in started:
        each.kill()
        each.wait()


def _hold(desk: Desk, **claim: object) -> tuple[str, str]:
    taken = _claim(**claim)  # ty: ignore[invalid-argument-type]
    desk.take(taken)
    return str(taken.id), taken.token


def test_room_is_what_the_held_jobs_leave(desk: Desk) -> None:
    assert desk.room() == 3
    held = _hold(desk)
    assert desk.room() == 2
    desk.leave(*held)
    assert desk.room() == 3


def test_there_is_no_room_beside_a_job_that_runs_alone(desk: Desk) -> None:
    held = _hold(desk, alone=True)
    assert desk.room() == 0
    desk.leave(*held)
    assert desk.room() == 3


def test_who_runs_dry_has_room_again_when_it_holds_nothing_or_after_a_while(desk: Desk) -> None:
    held, other = _hold(desk), _hold(desk, token="boot:2")
    desk.run_dry(60)
    assert (desk.room(), desk.ask()) == (0, 0)
    desk.leave(*held)
    assert desk.room() == 0
    desk.leave(*other)
    assert desk.room() == 3

    _hold(desk)
    desk.run_dry(0)
    assert desk.room() == 2


def test_there_is_no_room_in_a_draining_worker(desk: Desk) -> None:
    desk.draining = True
    assert (desk.room(), desk.ask()) == (0, 0)


def test_a_dead_childs_job_takes_room_but_does_not_count_as_work(desk: Desk) -> None:
    held = _hold(desk)
    assert desk.held() == 1
    desk.lose(*held, LOST)
    assert (desk.room(), desk.held()) == (2, 0)


def test_a_desk_is_not_empty_while_a_claim_is_on_its_way(desk: Desk) -> None:
    assert desk.ask() == 3
    assert not desk.empty()
    desk.answered()
    assert desk.empty()


def test_claim_numbers_are_never_used_twice(desk: Desk) -> None:
    assert [desk.reserve_numbers(3), desk.reserve_numbers(1), desk.reserve_numbers(2)] == [1, 4, 5]


def test_a_lost_claim_is_looked_for_a_few_times(desk: Desk) -> None:
    desk.unanswered("video", 4, 2)
    [lost] = desk.lost_claims()

    assert (lost.queue, lost.tokens) == ("video", {"boot:4", "boot:5"})
    lost.looks = 0
    assert desk.lost_claims() == []


def test_a_job_that_left_is_not_begun(desk: Desk) -> None:
    job_id, token = _hold(desk)
    desk.leave(job_id, token)
    assert not desk.started(job_id, token, 1)


def test_a_job_whose_end_is_decided_is_not_begun(desk: Desk) -> None:
    job_id, token = _hold(desk)
    desk.end(job_id, token, RELEASED)
    assert not desk.started(job_id, token, 1)


def test_another_claim_of_the_same_job_has_no_say(desk: Desk) -> None:
    job_id, _ = _hold(desk)
    assert not desk.started(job_id, "other:1", 1)
    desk.end(job_id, "other:1", RELEASED)
    assert desk.leave(job_id, "other:1") is None
    assert desk.kill(job_id, "other:1") is None
    assert desk.snapshot()[0].ending is None


def test_the_first_decision_stands(desk: Desk) -> None:
    held = _hold(desk)
    desk.end(*held, RELEASED)
    desk.end(*held, LOST)
    desk.lose(*held, LOST)
    assert desk.snapshot()[0].ending is RELEASED


def test_a_child_that_died_meanwhile_is_still_to_be_taken_off(desk: Desk) -> None:
    held = _hold(desk)
    desk.lose(*held, LOST)
    desk.settle(*held, patience=1)  # by a supervisor that read the store before the child died
    assert desk.snapshot()[0].ending is LOST


def test_what_has_ended_needs_no_end(desk: Desk) -> None:
    held = _hold(desk)
    desk.end(*held, RELEASED)
    desk.settle(*held, patience=1)
    assert (desk.snapshot()[0].ending, desk.snapshot()[0].ended) == (None, True)


def test_giving_back_wakes_the_supervisor(desk: Desk) -> None:
    woken: list[bool] = []
    desk.wake = lambda: woken.append(True)
    job_id, _ = _hold(desk)
    desk.give_back(job_id)

    assert woken
    ending = desk.snapshot()[0].ending
    assert ending
    assert ending.outcome is Outcome.RELEASED


def test_a_message_that_cannot_be_handled_counts_an_attempt(desk: Desk) -> None:
    job_id, _ = _hold(desk)
    desk.give_back(job_id, unfit="It is in Klingon.")

    ending = desk.snapshot()[0].ending
    assert ending
    assert ending.error
    assert (ending.outcome, ending.error.message) == (Outcome.RETRYING, "It is in Klingon.")


def test_a_child_is_killed_while_its_job_is_held(desk: Desk, start_child: Callable[[], subprocess.Popen]) -> None:
    child = start_child()
    job_id, token = _hold(desk)
    desk.started(job_id, token, child.pid)

    assert desk.kill(job_id, token)
    assert child.wait(5) == -signal.SIGKILL
    assert desk.empty()


def test_a_child_whose_job_left_is_not_killed(desk: Desk, start_child: Callable[[], subprocess.Popen]) -> None:
    child = start_child()
    job_id, token = _hold(desk)
    desk.started(job_id, token, child.pid)
    desk.leave(job_id, token)

    assert desk.kill(job_id, token) is None
    os.kill(child.pid, signal.SIGCONT)
    assert child.poll() is None


def test_a_child_is_asked_to_stop_once(desk: Desk, start_child: Callable[[], subprocess.Popen]) -> None:
    child = start_child()  # which does not listen, and so dies of it
    job_id, token = _hold(desk)
    desk.started(job_id, token, child.pid)

    assert desk.ask_to_stop(job_id, token, grace=1)
    assert not desk.ask_to_stop(job_id, token, grace=1)
    wait_until(lambda: child.poll() == -signal.SIGUSR2, what="the signal")


def test_a_job_claimed_again_leaves_its_lost_attempt_to_be_killed(
    desk: Desk, start_child: Callable[[], subprocess.Popen]
) -> None:
    child = start_child()
    lost = _claim(token="boot:1")
    desk.take(lost)
    desk.started(str(lost.id), lost.token, child.pid)
    again = replace(lost, token="boot:2", attempt=2)
    desk.take(again)
    desk.give_back(str(lost.id))

    assert [(each.claim.token, each.ending is None) for each in desk.snapshot()] == [
        ("boot:1", True),
        ("boot:2", False),
    ]
    assert desk.room() == 1
    assert desk.kill(str(lost.id), lost.token)
    assert child.wait(5) == -signal.SIGKILL
    assert [each.claim for each in desk.snapshot()] == [again]


def test_a_child_that_runs_a_job_begins_no_other(desk: Desk) -> None:
    first, second = _hold(desk), _hold(desk, token="boot:2")
    assert desk.started(*first, 4711)
    assert not desk.started(*second, 4711)
    desk.settle(*first, patience=1)

    assert desk.started(*second, 4711)
    assert [each.claim.token for each in desk.snapshot()] == ["boot:2"]


def test_a_group_of_which_only_another_users_process_is_left_is_let_be(monkeypatch: pytest.MonkeyPatch) -> None:
    def kernel(_group: int, _number: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "killpg", kernel)

    kill_group(12345)  # raises nothing: what follows it, the attempt's end, must be
