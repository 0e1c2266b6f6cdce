"""A burst on an empty pool: how long until the number is set, and in how many steps."""

from __future__ import annotations

import statistics
import threading
import time
from contextlib import suppress

import pytest

from heavylift.client import Conflict
from tests.e2e.scaling.installation import Installation
from tests.e2e.scaling.proof import Proof
from tests.e2e.scaling.seen import What
from tests.waiting import wait_until

BURSTS = 21
JOBS, SECONDS = 36, 1.0
MOST = 3
WITHIN = 1.0

TEXT = f"""{JOBS} jobs in one request to a pool of nothing; from just before the request to the Deployment's new number
as a watch shows it, on one clock. Pools take turns: while one is measured, another one drains."""


@pytest.mark.alone
def test_a_burst_on_an_empty_pool_is_answered_within_a_second_and_in_one_step(
    scaled: Installation, proof: Proof
) -> None:
    figures: list[float] = []
    alone = threading.Lock()
    failures: list[BaseException] = []

    def bursts(pool: str) -> None:
        try:
            figures.extend(_burst(scaled, pool, alone) for _ in range(BURSTS // len(scaled.pools)))
        except AssertionError as error:
            failures.append(error)

    threads = [threading.Thread(target=bursts, args=(pool,)) for pool in scaled.pools]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures
    print("seconds:", *(f"{figure:.2f}" for figure in sorted(figures)))
    *_, p95 = statistics.quantiles(figures, n=20)
    rows = [
        ("bursts", str(len(figures))),
        ("median", f"{statistics.median(figures):.2f} s"),
        ("95th percentile", f"{p95:.2f} s"),
        ("longest", f"{max(figures):.2f} s"),
        ("steps from 0 to all workers", "1 each"),
    ]
    proof.add("Bursts on an empty pool", TEXT, rows)
    assert p95 <= WITHIN


def _burst(scaled: Installation, pool: str, alone: threading.Lock) -> float:
    """Return the seconds from a burst to the new number; the pool is empty before and after."""
    chronicle = scaled.watching.chronicle
    with alone:
        position, at = chronicle.position, time.time()
        jobs = scaled.submit(pool, *[SECONDS] * JOBS)
        seen = chronicle.wait(
            lambda each: each.pool == pool and each.what is What.SCALED, 10, after=position, what="a new number"
        )
        assert (seen.before, seen.after) == (0, MOST)
        wait_until(lambda: len(scaled.watching.ready(pool)) == MOST, 60, what="the workers", every=0.1)
    for job in jobs:  # the workers are there: for the rest of them it need not be waited
        with suppress(Conflict):
            scaled.client.cancel(job)
    assert {scaled.client.wait(job, timeout=60).status for job in jobs} <= {"succeeded", "cancelled"}
    raised = [each for each in chronicle.since(position) if each.pool == pool and each.what is What.SCALED]
    assert [each for each in raised if each.after > each.before] == [seen]
    scaled.rest(pool)
    scaled.wait_until_empty(pool)
    scaled.let_go(pool)
    scaled.wait_for_status(pool, lambda said: not said["held_by"], what="a hold's end")
    return seen.at - at
