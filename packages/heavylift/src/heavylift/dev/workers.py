"""The stack's workers: as many processes as the controller orders.

The controller decides and drains; this keeps the number. It starts a worker for each that is missing, and ends one too
many only if the order names it, which the controller does once the worker takes no more jobs and holds none. So nothing
that happens here interrupts a job: an order that was lost, is old or does not come leaves everything as it is.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import orjson

from heavylift import operations as ops
from heavylift.dev.options import POOL, PoolOptions
from heavylift.dev.process import ProcessSpec
from heavylift.dev.supervisor import Supervisor
from heavylift.errors import StoreUnavailable
from heavylift.operations import local
from heavylift.operations.local import LocalOrder, LocalProcess, LocalReport
from heavylift.store import AsyncStore
from heavylift.tasks import end

_WAIT = 1
"""Seconds without an order after which what runs is reported anew: the controller acts on nothing older than 3 s."""

_RETRY = 0.5

_NAME = re.compile(r"worker-\d+")


class Workers:
    """Starts and ends the pool's processes. Lives on the supervisor's event loop.

    Parameters
    ----------
    supervisor
        Runs the processes.
    spec_of
        Makes a worker's process from its name.
    store
        The stack's Redis.
    pools_file
        Where the controller reads the pool's settings.
    announce
        Told in a sentence when the number changes.

    """

    def __init__(
        self,
        supervisor: Supervisor,
        spec_of: Callable[[str], ProcessSpec],
        *,
        pool: PoolOptions,
        store: AsyncStore,
        pools_file: Path,
        announce: Callable[[str], None],
    ) -> None:
        self._supervisor = supervisor
        self._spec_of = spec_of
        self._pool = pool
        self._store = store
        self._pools_file = pools_file
        self._announce = announce
        # Never a name twice in a stack: what Redis knows of a worker that has ended must not hold for another one.
        self._names = (f"worker-{number}" for number in itertools.count(1))
        self._created: dict[str, float] = {}
        self._leaving: dict[str, asyncio.Task[None]] = {}
        self._queues: frozenset[str] = frozenset()
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    async def start(self) -> None:
        """Start the fewest workers there are to be, and follow the controller's orders from then on."""
        order = LocalOrder(self._pool.least)
        await self._forget_others()
        await self._store.run(local.reset_order(self._store.keys, POOL, order))
        for _ in range(order.replicas):
            await self._start_one()
        self._task = asyncio.create_task(self._follow(order))

    async def stop(self) -> None:
        """Follow no more orders. The processes are the supervisor's to end."""
        self._stopping = True  # where the first cancellation is lost, nothing may be started before the second
        if self._task is not None:
            await end(self._task)
        await end(*self._leaving.values())
        await self._store.aclose()

    async def _forget_others(self) -> None:
        """Make Redis forget the workers of the stack before, whose names are given anew: their reports and drains."""
        keys = self._store.keys
        queues = sorted(await self._store.run(ops.read_queues(keys)))
        for queue, scene in (await self._store.run(ops.read_scenes(keys, queues))).items():
            ours = [name for name in scene.draining if _NAME.fullmatch(name)]
            await self._store.run(ops.drain(keys, queue, epoch=scene.epoch, release=ours))
        reports = await self._store.run(ops.read_workers(keys))
        await self._store.run(ops.forget_workers(keys, [name for name in reports if _NAME.fullmatch(name)]))

    async def _follow(self, order: LocalOrder) -> None:
        failure = ""
        while True:
            try:
                await self._tell_queues()
                await self._store.run(local.report_processes(self._store.keys, POOL, self._report(order)))
                await self._store.run(local.await_order(self._store.keys, seconds=_WAIT))
                order = await self._order()
                if not self._stopping:
                    await self._act(order)
                failure = ""
            except Exception as error:  # noqa: BLE001 - the loop's boundary: what runs, runs on, and the next turn comes
                if repr(error) != failure and not isinstance(error, StoreUnavailable):
                    self._announce(f"the number of workers stays as it is ({error!r})")
                failure = repr(error)
                await asyncio.sleep(_RETRY)

    async def _order(self) -> LocalOrder:
        """Return the controller's order; a Redis that has forgotten it is told what there is."""
        order = (await self._store.run(local.read_orders(self._store.keys))).get(POOL)
        if order is None:
            order = LocalOrder(len(self._staying))
            await self._store.run(local.reset_order(self._store.keys, POOL, order))
        return order

    @property
    def _staying(self) -> list[str]:
        return [name for name in self._created if name not in self._leaving]

    async def _act(self, order: LocalOrder) -> None:
        staying = self._staying
        missing = order.replicas - len(staying)
        for _ in range(missing):
            self._announce(f"{await self._start_one()} is started: there are to be {order.replicas}")
        ending = [name for name in order.first if name in staying][: max(0, -missing)]
        for name in ending:
            self._announce(f"{name} holds no job and ends: there are to be {order.replicas}")
            self._leaving[name] = asyncio.create_task(self._end(name))

    async def _start_one(self) -> str:
        name = next(self._names)
        await self._supervisor.start(self._spec_of(name))
        self._created[name] = time.time()
        return name

    async def _end(self, name: str) -> None:
        await self._supervisor.end(name)
        del self._created[name], self._leaving[name]

    def _report(self, order: LocalOrder) -> LocalReport:
        return LocalReport(time.time(), order, tuple(self._process(name) for name in self._created))

    def _process(self, name: str) -> LocalProcess:
        process = self._supervisor.processes[name]
        return LocalProcess(
            name=name,
            created_at=self._created[name],
            started_at=process.started_at,
            up=process.pid is not None,
            restarts=process.restarts,
            leaving=name in self._leaving,
        )

    async def _tell_queues(self) -> None:
        """Write the pool's settings once its workers have said which queues they serve, and when that changes."""
        reports = await self._store.run(ops.read_workers(self._store.keys))
        queues = frozenset(queue for report in reports.values() if report.pool == POOL for queue in report.queues)
        if queues - self._queues:
            self._queues |= queues
            write_pools(self._pools_file, self._queues, self._pool)


def write_pools(path: Path, queues: Iterable[str], pool: PoolOptions) -> None:
    """Write the controller's file of the pools: one that serves these queues, or none while no queue is known."""
    settings = {
        "queues": {queue: {"targetWaitSeconds": pool.target_wait} for queue in sorted(queues)},
        "slots": 1,
        "min": pool.least,
        "max": pool.most,
    }
    part = path.with_name(f".{path.name}")
    part.write_bytes(orjson.dumps({"pools": {POOL: settings} if settings["queues"] else {}}))
    part.replace(path)
