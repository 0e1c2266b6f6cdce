"""This machine as the place where workers run.

The development stack keeps the processes and says what runs; this orders how many there are to be, and who is the first
to go. Both meet in Redis (`heavylift.operations.local`), so that a controller may die at any moment: the stack goes on
with the last order, and the next controller reads it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import structlog

from heavylift.errors import StoreUnavailable
from heavylift.operations import WorkerReport, local, read_workers
from heavylift.operations.local import LocalOrder, LocalProcess, LocalReport, Written
from heavylift.store import Call, Store, T
from heavylift_controller.local.leadership import LocalLeadership
from heavylift_controller.scaler.platform import DRAINED, PlatformError, Pod, Scaled, Sight, Stage
from heavylift_controller.scaling import Decision

MOST = 64
"""Processes one pool may have here, whatever is asked for."""

TRIES = 5
"""How often an order is written anew that somebody else has changed meanwhile; in practice nobody does."""

log = structlog.get_logger()


class LocalPlatform:
    """Reads what the stack reports and writes its orders. For one thread."""

    def __init__(self, store: Store, *, clock: Callable[[], float] = time.time) -> None:
        self.leadership = LocalLeadership(store)
        self._store = store
        self._clock = clock

    def look(self) -> Mapping[str, Sight]:
        """Return every pool that a stack has reported. Raises PlatformError."""
        keys = self._store.keys
        reports = self._run(local.read_processes(keys))
        orders = self._run(local.read_orders(keys))
        workers = self._run(read_workers(keys))
        return {pool: self._sight(orders[pool], report, workers) for pool, report in reports.items() if pool in orders}

    def look_again(self, pool: str) -> Sight:
        """Return the pool as it is now. Raises PlatformError."""
        sight = self.look().get(pool)
        if sight is None:
            raise PlatformError(f"nobody runs the pool {pool} on this machine")
        return sight

    def scale(self, pool: str, *, current: int, to: int) -> Scaled:
        """Order another number, if it still is `current`. Raises PlatformError."""
        order = self._order(pool)
        if order.replicas != current:
            return Scaled.CHANGED
        staying = self._staying(pool)
        first = tuple(name for name in order.first if name in staying)
        # The stack ends nobody else: with fewer to go first than there are too many, the number would never be reached.
        if to > MOST or len(staying) - to > len(first):
            return Scaled.REFUSED
        written = self._write(pool, order, LocalOrder(to, first))
        return Scaled.DONE if written is Written.DONE else Scaled.CHANGED

    def mark(self, pool: str, pods: Sequence[str]) -> None:
        """Make these the first to go. Raises PlatformError."""
        self._change(pool, lambda first: (*first, *(pod for pod in pods if pod not in first)))

    def unmark(self, pool: str, pods: Sequence[str]) -> None:
        """Take that back. Raises PlatformError."""
        self._change(pool, lambda first: tuple(pod for pod in first if pod not in pods))

    def release(self, pool: str) -> None:
        """Do nothing: here people hold a pool over the API alone."""

    def show(self, pool: str, decision: Decision, status: Mapping[str, object]) -> None:
        """Do nothing: people look at the API, and the status is in Redis."""

    def note(self, pool: str, reason: str, sentence: str, *, warning: bool = False) -> None:
        """Write it into the log."""
        (log.warning if warning else log.info)("pool_event", pool=pool, reason=reason, sentence=sentence)

    def close(self) -> None:
        """Lead no more. Never raises."""
        self.leadership.end()

    def _sight(self, order: LocalOrder, report: LocalReport, workers: Mapping[str, WorkerReport]) -> Sight:
        now = self._clock()
        pods = tuple(_pod(process, workers.get(process.name), order, now) for process in report.processes)
        return Sight(
            replicas=order.replicas,
            pods=pods,
            settled=report.order.replicas == order.replicas and sum(not pod.leaving for pod in pods) == order.replicas,
            read_ago=abs(now - report.at),  # a clock that was set back makes no report newer
        )

    def _staying(self, pool: str) -> frozenset[str]:
        report = self._run(local.read_processes(self._store.keys)).get(pool)
        return frozenset(process.name for process in report.processes if not process.leaving) if report else frozenset()

    def _order(self, pool: str) -> LocalOrder:
        order = self._run(local.read_orders(self._store.keys)).get(pool)
        if order is None:
            raise PlatformError(f"nobody runs the pool {pool} on this machine")
        return order

    def _change(self, pool: str, first: Callable[[tuple[str, ...]], tuple[str, ...]]) -> None:
        for _ in range(TRIES):
            order = self._order(pool)
            wanted = replace(order, first=first(order.first))
            if wanted == order or self._write(pool, order, wanted) is Written.DONE:
                return
        raise PlatformError(f"the order for the pool {pool} is changed by somebody else again and again")

    def _write(self, pool: str, read: LocalOrder, order: LocalOrder) -> Written:
        call = local.write_order(self._store.keys, self.leadership.token, pool, read=read, order=order)
        written = self._run(call)
        if written is Written.OTHER_LEADS:
            raise PlatformError("another controller leads by now")
        return written

    def _run(self, call: Call[T]) -> T:
        try:
            return self._store.run(call)
        except StoreUnavailable as error:
            raise PlatformError(str(error)) from error


def _pod(process: LocalProcess, worker: WorkerReport | None, order: LocalOrder, now: float) -> Pod:
    # What an earlier process of this name reported says nothing of the one that runs now.
    booted = process.up and worker is not None and worker.booted_at >= process.started_at
    return Pod(
        name=process.name,
        age=max(0.0, now - process.created_at),
        stage=_stage(process, booted=booted),
        ready=booted and worker is not None and not worker.paused,
        leaving=process.leaving,
        cost=DRAINED if process.name in order.first else None,
        began_at=process.created_at,
    )


def _stage(process: LocalProcess, *, booted: bool) -> Stage:
    if booted:
        return Stage.RUNNING
    return Stage.FAILING if process.restarts else Stage.STARTING
