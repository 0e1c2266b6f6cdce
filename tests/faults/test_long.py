"""The long form: ten thousand jobs a scenario, the real lease period, stock Celery beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import page
from tests.faults.perform import LONG, perform
from tests.faults.report import table
from tests.faults.scenarios import SCENARIOS, Scenario
from tests.faults.stack import Stack
from tests.faults.stock_stack import StockStack

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]


@pytest.fixture(scope="module", autouse=True)
def written_page() -> Iterator[None]:
    yield
    page.write()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_promises_hold(scenario: Scenario, tmp_path: Path) -> None:
    scenario.skip_where_impossible()
    report = perform(scenario, LONG, tmp_path, Stack)
    report.save(page.RESULTS)
    print(table([report]))
    assert not report.problems, "\n".join([*report.problems, *report.notes])


@pytest.mark.parametrize("scenario", [each for each in SCENARIOS if each.stock], ids=lambda scenario: scenario.name)
def test_stock_celery_beside_it(scenario: Scenario, tmp_path: Path) -> None:
    """Put stock Celery through the same. It is measured, not judged: all it has to do is to accept the jobs."""
    scenario.skip_where_impossible()
    report = perform(scenario, LONG, tmp_path, StockStack)
    report.save(page.RESULTS)
    print(table([report]))
    assert report.accepted == report.jobs + scenario.more_jobs
