"""The client's two fronts against one scripted API: every behaviour holds for both."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from heavylift.client import AsyncClient, Client, JobEvent
from tests.scripted_api import ScriptedApi

Call = Callable[[Callable[[Any], Any]], Any]


@pytest.fixture
def api() -> Iterator[ScriptedApi]:
    with ScriptedApi() as server:
        yield server


@pytest.fixture(params=["blocking", "awaiting"])
def call(request: pytest.FixtureRequest, api: ScriptedApi) -> Call:
    """Run `use(client)` on one of the fronts and return what it returns, a stream as a list."""

    def blocking(use: Callable[[Any], Any]) -> Any:
        with Client(api.url, "secret", retries=3) as client:
            result = use(client)
            return list(result) if inspect.isgenerator(result) else result

    async def run(use: Callable[[Any], Any]) -> Any:
        async with AsyncClient(api.url, "secret", retries=3) as client:
            result = use(client)
            return [event async for event in result] if inspect.isasyncgen(result) else await result

    def awaiting(use: Callable[[Any], Any]) -> Any:
        return asyncio.run(run(use))

    return blocking if request.param == "blocking" else awaiting


def names(found: list[JobEvent]) -> list[str]:
    return [event.event for event in found]
