"""The judge of scale-ins finds what it is there to find."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.e2e.scaling.seen import Seen, Traits, What
from tests.e2e.scaling.victims import OURS, scale_ins, wrong

DRAINED = Traits(costed=True, ready=False, revision="1")
BUSY = Traits(costed=False, ready=True, revision="1")

CREATED = Seen(1, What.CREATED, "red", name="a", traits=BUSY)
MARKED = Seen(2, What.MARKED, "red", name="a")
LOWERED = Seen(3, What.SCALED, "red", who=OURS, before=2, after=1)
LEAVING = Seen(3.1, What.LEAVING, "red", name="a", traits=DRAINED)


def test_a_drained_worker_is_a_right_victim() -> None:
    assert wrong([CREATED, MARKED, LOWERED, LEAVING]) == []


def test_a_mark_that_is_forgotten_when_its_worker_goes_was_there() -> None:
    assert wrong([CREATED, MARKED, LOWERED, Seen(3.05, What.UNMARKED, "red", name="a"), LEAVING]) == []


@pytest.mark.parametrize(
    "entries",
    [
        pytest.param([CREATED, LOWERED, LEAVING], id="never marked"),
        pytest.param(
            [CREATED, MARKED, Seen(2.5, What.UNMARKED, "red", name="a"), LOWERED, LEAVING], id="mark taken back"
        ),
        pytest.param([CREATED, replace(MARKED, name="b"), LOWERED, LEAVING], id="another one marked"),
        pytest.param([CREATED, MARKED, LOWERED, replace(LEAVING, traits=BUSY)], id="without our cost"),
        pytest.param(
            [CREATED, MARKED, LOWERED, replace(LEAVING, traits=replace(DRAINED, ready=True))], id="ready at its end"
        ),
    ],
)
def test_a_worker_that_a_scale_in_takes_undrained_is_a_wrong_victim(entries: list[Seen]) -> None:
    [found] = wrong(entries)
    assert found.startswith("a of red")


def test_what_a_person_or_a_rollout_takes_is_no_victim_of_ours() -> None:
    leaving = replace(LEAVING, traits=BUSY)
    assert wrong([CREATED, replace(LOWERED, who="kubectl"), leaving]) == []
    newer = Seen(2.9, What.CREATED, "red", name="b", traits=replace(BUSY, revision="2"))
    assert wrong([CREATED, LOWERED, newer, leaving]) == []


def test_a_scale_in_is_a_lower_number_that_the_product_set() -> None:
    raised = replace(LOWERED, before=1, after=2)
    to_nothing = replace(LOWERED, before=1, after=0, who="")
    others = [replace(LOWERED, who="kubectl"), replace(LOWERED, who="")]
    assert scale_ins([raised, LOWERED, *others, to_nothing]) == [LOWERED, to_nothing]
