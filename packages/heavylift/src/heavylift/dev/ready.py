"""Waiting until a stack that was started can take jobs."""

from __future__ import annotations

import asyncio

import httpx

from heavylift import operations as ops
from heavylift.dev.errors import StackError
from heavylift.dev.supervisor import Supervisor
from heavylift.errors import StoreUnavailable
from heavylift.settings import Settings, load
from heavylift.store import AsyncStore

_DEADLINE = 60.0
_ENDED_TOO_OFTEN = 3
_LINES_SHOWN = 15


async def wait_until_ready(supervisor: Supervisor, *, api_url: str, redis_url: str, workers: int) -> None:
    """Return when the API answers and a worker of this stack has said what it can run.

    Raises
    ------
    StackError
        They have not in a minute, or a part ended again and again; with that part's last lines.

    """
    store = AsyncStore.from_settings(load(Settings, redis_url=redis_url))
    try:
        async with asyncio.timeout(_DEADLINE), httpx.AsyncClient(base_url=api_url, trust_env=False, timeout=5) as http:
            while not (await _answers(http) and (workers == 0 or await _has_worker(store, supervisor))):
                _require_alive(supervisor)
                await asyncio.sleep(0.05)
    except TimeoutError as error:
        raise StackError(f"The stack was not ready within {_DEADLINE:g} s.{_last_lines(supervisor, 'api')}") from error
    finally:
        await store.redis.aclose()


async def _answers(http: httpx.AsyncClient) -> bool:
    try:
        return (await http.get("/readyz")).is_success
    except httpx.TransportError:
        return False


async def _has_worker(store: AsyncStore, supervisor: Supervisor) -> bool:
    try:
        # Job types alone prove nothing: those of the stack before are still there. Its workers' reports are not.
        reports = await store.run(ops.read_workers(store.keys))
        return not supervisor.processes.keys().isdisjoint(reports) and bool(await store.run(ops.read_types(store.keys)))
    except StoreUnavailable:
        return False


def _require_alive(supervisor: Supervisor) -> None:
    for name, process in supervisor.processes.items():
        if process.restarts >= _ENDED_TOO_OFTEN:
            raise StackError(f"{name} ended {process.restarts} times at its start.{_last_lines(supervisor, name)}")


def _last_lines(supervisor: Supervisor, name: str) -> str:
    path = supervisor.log_file(name)
    lines = path.read_text().splitlines()[-_LINES_SHOWN:]
    return f" Its last lines ({path}):\n" + "\n".join(lines) if lines else ""
