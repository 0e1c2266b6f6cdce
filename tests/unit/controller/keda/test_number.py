"""What is served makes an HPA ask for what we want, in every state a pool may be seen in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heavylift_controller.keda.number import active, number
from tests.unit.controller.keda.hpa import next_replicas

workers = st.integers(0, 400)
some = st.integers(1, 400)


@pytest.mark.parametrize(
    ("replicas", "wanted", "shrinking", "served"),
    [
        pytest.param(0, 8, False, 8, id="from zero"),
        pytest.param(3, 8, False, 8, id="a growth beyond the tolerance"),
        pytest.param(10, 11, False, 12, id="a growth that 10 % would hide"),
        pytest.param(100, 101, False, 111, id="the same of many"),
        pytest.param(10, 10, False, 10, id="as it is"),
        pytest.param(8, 5, True, 5, id="few fewer"),
        pytest.param(20, 19, True, 17, id="fewer within the tolerance"),
        pytest.param(20, 19, False, 17, id="fewer, and not begun"),
        pytest.param(19, 19, True, 17, id="the status not there yet"),
        pytest.param(1, 0, True, 0, id="to zero"),
    ],
)
def test_the_number(replicas: int, wanted: int, shrinking: bool, served: int):
    assert number(replicas=replicas, wanted=wanted, shrinking=shrinking) == served


@given(replicas=some, wanted=some)
def test_no_growth_is_stranded_or_overshoots_by_more_than_the_tolerance(replicas: int, wanted: int):
    served = number(replicas=replicas, wanted=wanted, shrinking=False)
    after = next_replicas(served, spec=replicas, status=replicas)
    if wanted > replicas:
        assert wanted <= after <= max(wanted, replicas * 1.1 + 1)
    else:
        assert after == replicas


@given(replicas=some, wanted=some)
def test_a_growth_stays_within_what_keda_may_ask_for(replicas: int, wanted: int):
    most = max(replicas, wanted)
    served = number(replicas=replicas, wanted=wanted, shrinking=False)
    assert next_replicas(served, spec=replicas, status=replicas, most=most) == max(replicas, wanted)


@given(wanted=workers, more=workers, gone=workers)
def test_no_scale_in_is_reverted_whatever_the_status_still_counts(wanted: int, more: int, gone: int):
    replicas, status = wanted + more, wanted + max(more - gone, 0)
    before = number(replicas=replicas, wanted=wanted, shrinking=True)
    assert next_replicas(before, spec=replicas, status=replicas) == replicas
    assert next_replicas(before, spec=wanted, status=status) == wanted
    afterwards = number(replicas=wanted, wanted=wanted, shrinking=True)
    assert next_replicas(afterwards, spec=wanted, status=status) == wanted


@given(replicas=some, wanted=some)
def test_what_is_reached_is_kept(replicas: int, wanted: int):
    served = number(replicas=replicas, wanted=wanted, shrinking=False)
    after = next_replicas(served, spec=replicas, status=replicas)
    again = number(replicas=after, wanted=wanted, shrinking=False)
    assert next_replicas(again, spec=after, status=after) == after


@pytest.mark.parametrize(
    ("replicas", "wanted", "landing", "told"),
    [
        pytest.param(0, 3, False, True, id="work came to a pool at zero"),
        pytest.param(3, 3, False, True, id="at work"),
        pytest.param(2, 0, False, True, id="workers still drain"),
        pytest.param(2, 0, True, False, id="our own zero lands now"),
        pytest.param(0, 0, False, False, id="idle"),
        pytest.param(0, 1, True, True, id="work came just then"),
    ],
)
def test_a_pool_is_active_until_its_own_zero(replicas: int, wanted: int, landing: bool, told: bool):
    assert active(replicas=replicas, wanted=wanted, landing=landing) is told
