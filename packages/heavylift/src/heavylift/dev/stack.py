"""The development stack: Redis, API, workers, controller and Flower on the loopback interface.

The supervisor runs on a thread of its own, so that the caller may block. A signal's handler may raise in the caller at
any moment: `__exit__` ends what was started, and the guard does should even that be interrupted.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType

from heavylift.dev import parts, redis_server
from heavylift.dev.data import DataFolder
from heavylift.dev.guard import Guard
from heavylift.dev.options import StackOptions
from heavylift.dev.ports import HOST, free_from, free_port, require_free, require_loopback
from heavylift.dev.process import ProcessSpec
from heavylift.dev.ready import wait_until_ready
from heavylift.dev.supervisor import Supervisor
from heavylift.dev.workers import Workers, write_pools
from heavylift.settings import Settings, load
from heavylift.store import AsyncStore
from heavylift.tasks import end

FLOWER_PORT = 5555

_REDIS_START = 60.0
"""A large append-only file is read for some seconds."""


class DevStack:
    """A running stack. Use it as a context manager.

    Parameters
    ----------
    options
        What it consists of.
    announce
        Told in a sentence what the supervisor does.
    echo
        Given every line a process writes, with the process's name. The lines are in `data.logs` in any case.

    Raises
    ------
    StackError
        On entering: something keeps the stack from starting. The message names the remedy.

    """

    def __init__(
        self,
        options: StackOptions | None = None,
        *,
        announce: Callable[[str], None] = lambda _: None,
        echo: Callable[[str, str], None] | None = None,
    ) -> None:
        self.options = options or StackOptions()
        self.data = DataFolder(self.options.data)
        self._announce = announce
        self._echo = echo
        self._exits = ExitStack()
        self._supervisor: Supervisor | None = None
        self._starting: asyncio.Task[None] | None = None
        self._workers: Workers | None = None

    @property
    def api_url(self) -> str:
        """Where the API answers."""
        return f"http://{HOST}:{self._addresses.api_port}"

    @property
    def flower_url(self) -> str | None:
        """Where Flower answers, if it runs."""
        return f"http://{HOST}:{self._addresses.flower_port}" if self.options.flower else None

    @property
    def redis_url(self) -> str:
        """Where Redis answers; it may hold a password."""
        return self._addresses.redis_url

    def __enter__(self) -> DevStack:
        try:
            self._begin()
            asyncio.run_coroutine_threadsafe(self._start(self._running), self._loop).result()
        except BaseException:
            self._exits.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._exits.close()

    def hurry(self) -> None:
        """Kill what has not ended yet of a stack that is being left."""
        if self._supervisor is not None:
            self._loop.call_soon_threadsafe(self._supervisor.hurry)

    def pids(self) -> dict[str, int]:
        """Return the process id of each part that runs now."""
        processes = self._running.processes.copy()  # in one step: workers come and go on the supervisor's thread
        return {name: process.pid for name, process in processes.items() if process.pid}

    @property
    def _running(self) -> Supervisor:
        assert self._supervisor is not None, "the stack was not entered"
        return self._supervisor

    def _begin(self) -> None:
        self.data.acquire()
        self._exits.callback(self.data.release)
        guard = self._exits.enter_context(Guard(self.data.lock))
        self._loop = asyncio.new_event_loop()
        self._supervisor = Supervisor(guard, self.data.logs, announce=self._announce, echo=self._echo)
        # A daemon: should the end of the stack itself be interrupted, the process ends and the guard cleans up.
        thread = threading.Thread(target=self._loop.run_forever, name="supervisor", daemon=True)
        thread.start()
        self._exits.callback(self._loop.close)
        self._exits.callback(thread.join)
        self._exits.callback(self._loop.call_soon_threadsafe, self._loop.stop)
        self._exits.callback(lambda: asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result())

    async def _start(self, supervisor: Supervisor) -> None:
        self._starting = asyncio.current_task()
        require_loopback(os.environ.get("HEAVYLIFT_HOST"))
        port = free_port() if self.options.port is None else require_free(self.options.port)
        redis_url = await self._start_redis(supervisor)
        self._addresses = parts.Addresses(redis_url, port, free_from(FLOWER_PORT))
        write_pools(self.data.pools, (), self.options.pool)
        for spec in parts.services(self.options, self.data, self._addresses):
            await supervisor.start(spec)
        if self.options.workers:
            await self._start_workers(supervisor)
        await wait_until_ready(supervisor, api_url=self.api_url, redis_url=redis_url, workers=self.options.workers)
        if self.options.flower:  # last: its imports would delay the others
            await supervisor.start(parts.flower(self.options, self._addresses))

    async def _start_workers(self, supervisor: Supervisor) -> None:
        self._workers = Workers(
            supervisor,
            lambda name: parts.worker(name, self.options, self.data, self._addresses),
            pool=self.options.pool,
            store=AsyncStore.from_settings(load(Settings, redis_url=self.redis_url)),
            pools_file=self.data.pools,
            announce=self._announce,
        )
        await self._workers.start()

    async def _start_redis(self, supervisor: Supervisor) -> str:
        if self.options.redis_url is not None:
            await redis_server.check_server(self.options.redis_url)
            return self.options.redis_url
        binary = redis_server.find_binary()
        port = free_port()
        url = f"redis://{HOST}:{port}/0"
        command = redis_server.server_command(binary, port=port, folder=self.data.redis)
        await supervisor.start(ProcessSpec("redis", command, stop_last=parts.LAST))
        await redis_server.wait_until_up(url, seconds=_REDIS_START)
        return url

    async def _stop(self) -> None:
        if self._starting is not None:
            await end(self._starting)
        if self._workers is not None:
            await self._workers.stop()
        await self._running.stop()
