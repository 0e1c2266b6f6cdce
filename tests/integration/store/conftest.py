"""`bench` is a queue on a clean Redis, whose keys must fit together when the test is over."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.store.bench import PATIENCE, Bench
from tests.integration.store.invariants import Picture, contradictions


@pytest.fixture
def bench(redis_url: str) -> Iterator[Bench]:
    bench = Bench(redis_url)
    yield bench
    assert list(contradictions(Picture(bench))) == []
    bench.store.close()


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """What time does to suspects is for tests to say, and not for a busy machine."""
    monkeypatch.setattr("heavylift.operations.attempts.SUSPECT_PATIENCE", PATIENCE)
    monkeypatch.setattr("heavylift.operations.attempts.SUSPECT_SPACING", PATIENCE)
