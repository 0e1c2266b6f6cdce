"""Waiting for a condition, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(
    predicate: Callable[[], T | None], timeout: float = 10, *, what: str = "the condition", every: float = 0.02
) -> T:
    """Return what the predicate says once it is true; fail after `timeout` seconds. It is asked `every` so often."""
    deadline = time.monotonic() + timeout
    while not (said := predicate()):
        assert time.monotonic() < deadline, f"{what} did not come true within {timeout:g} s"
        time.sleep(every)
    return said
