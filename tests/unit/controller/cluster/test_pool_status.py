from __future__ import annotations

import pytest

from heavylift_controller.cluster.pool_status import gist, status_of
from heavylift_controller.scaling import Limiter
from tests.unit.controller.cluster.workerpool import SCHEMA, decision, faults, published


def _status(limiter: Limiter = Limiter.SLO, /, *, cause: str = "", **said) -> dict:
    more = {name: said.pop(name) for name in ("previous", "trouble", "ignored", "owner") if name in said}
    return status_of(decision(limiter, cause=cause), published(**said), selector="a=b", generation=3, **more)


def _condition(status: dict, kind: str) -> dict[str, str]:
    (found,) = [each for each in status["conditions"] if each["type"] == kind]
    return found


def test_what_is_written_is_what_the_definition_knows():
    assert set(_status()) == set(SCHEMA["properties"]["status"]["properties"])


@pytest.mark.parametrize("limiter", Limiter)
def test_every_decision_can_be_written(limiter: Limiter):
    assert faults(_status(limiter, held_by="kubectl", hold_until=1_800_000_100.0, cause="redis")) == []


def test_a_pool_of_which_nothing_is_known_can_be_written():
    status = _status(waiting=None, running=None, oldest_age_seconds=None, last=(), draining=())
    assert faults(status) == []
    assert (status["waiting"], status["oldestSince"]) == (None, None)


def test_the_oldest_job_is_shown_by_when_it_began_to_wait():
    status = _status()
    assert (status["oldestSeconds"], status["oldestSince"]) == (12, "2027-01-15T07:59:48Z")


def test_no_age_is_shown_where_nothing_waits():
    assert _status(waiting=0)["oldestSeconds"] is None


def test_of_many_draining_workers_some_are_named():
    status = _status(draining=tuple(f"video-{number}" for number in range(200)))
    assert len(status["draining"]) == 50
    assert faults(status) == []


def test_why_nothing_is_done_stands_behind_the_decision():
    status = _status(reason="2 workers instead of 3: nobody waits.", note="waits for the drain of a")
    assert status["reason"] == "2 workers instead of 3: nobody waits. Waits for the drain of a."


def test_a_hold_is_shown_with_who_and_until_when():
    status = _status(Limiter.HELD, held_by="kubectl", hold_until=1_800_000_060.0)
    assert (status["heldBy"], status["holdUntil"]) == ("kubectl", "2027-01-15T08:01:00Z")
    assert _condition(status, "Held")["message"] == "kubectl has set the number; it stands until 2027-01-15T08:01:00Z."


def test_a_frozen_pool_says_why():
    condition = _condition(_status(Limiter.FROZEN, cause="redis"), "Frozen")
    assert (condition["status"], condition["reason"]) == ("True", "Frozen")
    assert condition["message"] == "Nothing is changed without data (redis)."


@pytest.mark.parametrize(
    ("said", "kind", "reason"),
    [
        ({"owner": "HorizontalPodAutoscaler/x"}, "Active", "OtherAutoscaler"),
        ({"shadow": True}, "Active", "Shadow"),
        ({"ignored": ("spec.max is ignored.",)}, "SpecUnderstood", "PartIgnored"),
        ({"trouble": "It is old."}, "DefinitionCurrent", "OtherVersion"),
    ],
)
def test_what_is_wrong_makes_a_condition_false(said: dict, kind: str, reason: str):
    assert _condition(_status(), kind)["status"] == "True"
    condition = _condition(_status(**said), kind)
    assert (condition["status"], condition["reason"]) == ("False", reason)
    assert condition["message"]


def test_more_than_may_be_is_shown_as_limited():
    assert _condition(_status(Limiter.MAX), "Limited")["reason"] == "Max"
    assert _condition(_status(), "Limited")["status"] == "False"


def test_a_condition_keeps_the_time_since_which_it_is_so():
    before = _status(Limiter.FROZEN, decided_at=1_700_000_000.0)
    after = _status(Limiter.PAUSED, previous=before)
    assert _condition(after, "Frozen")["lastTransitionTime"] == "2023-11-14T22:13:20Z"


def test_a_condition_that_turns_gets_the_time_of_the_decision():
    before = _status(Limiter.FROZEN, decided_at=1_700_000_000.0)
    assert _condition(_status(previous=before), "Frozen")["lastTransitionTime"] == "2027-01-15T08:00:00Z"


@pytest.mark.parametrize(
    "moved", [{"waiting": 9}, {"running": 2}, {"oldest_age_seconds": 20.0}, {"reason": "Other."}, {"decided_at": 1.0}]
)
def test_figures_that_move_by_themselves_can_wait(moved: dict):
    assert gist(_status(**moved)) == gist(_status())


@pytest.mark.parametrize(
    "moved",
    [{"desired": 5}, {"current": 2}, {"ready": 2}, {"limiter": "max"}, {"held_by": "kubectl"}, {"shadow": True}],
)
def test_what_was_decided_cannot_wait(moved: dict):
    assert gist(_status(**moved)) != gist(_status())


def test_the_age_of_old_data_is_a_figure():
    assert gist(_status(limiter="frozen: data is 4 s old")) == gist(_status(limiter="frozen: data is 5 s old"))
