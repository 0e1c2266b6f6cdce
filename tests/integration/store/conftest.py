"""`bench` is a queue on a clean Redis, whose keys must fit together when the test is over."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.store.bench import Bench
from tests.integration.store.invariants import Picture, contradictions


@pytest.fixture
def bench(redis_url: str) -> Iterator[Bench]:
    bench = Bench(redis_url)
    yield bench
    assert list(contradictions(Picture(bench))) == []
    bench.store.close()
