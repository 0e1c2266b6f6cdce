"""Submits of concurrent requests, joined.

A script's round trip costs the event loop more than the script costs Redis. Submissions that come in during one turn
of the loop therefore go out as one script per queue at the end of the turn: nothing waits for company, and a lone
submission is sent as soon as it would have been.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from heavylift.errors import HeavyliftError, QueueFull
from heavylift.operations import Submission, Submitted, submit_each
from heavylift_api.store import BoundedStore

MAX_BATCH = 200
"""Jobs in one script: bounds what the script holds up in Redis to about 4 ms, and stays below Lua's argument limit."""

Waiting = list[tuple[Submission, "asyncio.Future[Submitted]"]]


class Submitter:
    """Sends submissions to the store, those of one loop turn together."""

    def __init__(self, store: BoundedStore, *, bound_of: Callable[[str], int]) -> None:
        self._store = store
        self._bound_of = bound_of
        self._waiting: dict[str, Waiting] = {}
        self._sending: set[asyncio.Task[None]] = set()

    async def submit(self, submission: Submission) -> Submitted:
        """Accept one job. Raises QueueFull or StoreUnavailable."""
        loop = asyncio.get_running_loop()
        queue = submission.id.queue
        if queue not in self._waiting:
            self._waiting[queue] = []
            loop.call_soon(self._flush, queue)
        future: asyncio.Future[Submitted] = loop.create_future()
        self._waiting[queue].append((submission, future))
        return await future

    def _flush(self, queue: str) -> None:
        waiting = self._waiting.pop(queue)
        for start in range(0, len(waiting), MAX_BATCH):
            task = asyncio.create_task(self._send(queue, waiting[start : start + MAX_BATCH]))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def _send(self, queue: str, waiting: Waiting) -> None:
        bound = self._bound_of(queue)
        submissions = [submission for submission, _ in waiting]
        try:
            results = await self._store.run(submit_each(self._store.keys, queue, submissions, bound=bound))
        except HeavyliftError as error:
            _fail(waiting, error)
        except BaseException as error:
            _fail(waiting, error)
            raise
        else:
            for (_, future), result in zip(waiting, results, strict=True):
                if future.done():
                    continue
                if result is None:
                    future.set_exception(QueueFull(queue, bound))
                else:
                    future.set_result(result)


def _fail(waiting: Waiting, error: BaseException) -> None:
    for _, future in waiting:
        if not future.done():
            future.set_exception(error)
