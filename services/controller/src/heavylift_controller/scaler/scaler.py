"""The loop that scales: one look at Redis and one at the platform for all pools, then each pool's next step.

Any number of controllers run it; the one that leads acts. What could not be read freezes the pools: no data is not
zero.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import replace

import orjson
import structlog

from heavylift.errors import StoreUnavailable
from heavylift.store import Store
from heavylift_controller.scaler import metrics
from heavylift_controller.scaler.fenced import Deposed, FencedStore, Term
from heavylift_controller.scaler.look import Look, Watch
from heavylift_controller.scaler.one_pool import OnePool, Turn
from heavylift_controller.scaler.platform import Platform, PlatformError, Sight
from heavylift_controller.scaler.pools import Pool, Pools
from heavylift_controller.scaler.reading import Reading, read
from heavylift_controller.scaler.served import Served

DEPOSED = 10.0
"""Seconds for which a controller that met a newer leader's writes does nothing, though the platform says it leads."""
FORGET = 60.0
"""Seconds after which the report of a worker that is gone is dropped."""
SOON = 0.1

log = structlog.get_logger()


class Scaler:
    """Takes the turns. For one thread."""

    def __init__(
        self,
        store: Store,
        pools: Pools,
        platform: Platform,
        *,
        tick: float,
        served: Served | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """With `served` another autoscaler scales out, by the numbers served there."""
        self._store = store
        self._pools = pools
        self._platform = platform
        self._tick = tick
        self._served = served
        self._clock = clock
        self._fenced: FencedStore | None = None
        self._deposed: tuple[int, float] | None = None
        self._runs: dict[str, OnePool] = {}
        self._met: set[str] = set()
        """The pools of which it is known what the last leader has kept."""
        self._watch = Watch()
        self._served_by: Mapping[str, frozenset[str]] = {}
        """Pool -> queues that its workers took jobs from, when Redis was read last."""
        self._blind = ""
        self._ahead = time.time() - clock()
        """Redis's clock less ours."""
        metrics.LEADER.set(0)
        for name in pools.current:
            metrics.announce(name)

    def queues(self) -> Iterable[str]:
        """Return the queues of all pools. For any thread."""
        return {queue for pool in self._pools.current.values() for queue in pool.queues}

    def turn(self) -> float:
        """Look, decide and act; returns the seconds to the next turn. Raises StoreUnavailable once all was told."""
        began = self._clock()
        fenced = self._leading(began)
        if fenced is None:
            return self._tick
        try:
            hurried = self._lead(fenced)
        except Deposed:
            log.warning("deposed")
            self._deposed = fenced.term.number, self._clock() + DEPOSED
            self._stand_down()
            return self._tick
        finally:
            metrics.TICK_SECONDS.observe(self._clock() - began)
        return SOON if hurried else max(SOON, self._tick - (self._clock() - began))

    def _leading(self, at: float) -> FencedStore | None:
        """Return what to write with; None while another controller leads."""
        number = self._platform.leadership.epoch()
        if number is None or (self._deposed is not None and self._deposed[0] == number and at < self._deposed[1]):
            if self._fenced is not None:
                self._stand_down()
            return None
        if self._fenced is None or self._fenced.term.number != number:
            self._fenced = FencedStore(self._store, Term(number, self._platform.leadership))
            self._runs, self._met = {}, set()
            metrics.LEADER.set(1)
            log.info("scaling_begins", leadership=number)
        return self._fenced

    def _stand_down(self) -> None:
        self._fenced = None
        for name in self._runs:
            metrics.reset(name)
        self._runs, self._met = {}, set()
        metrics.LEADER.set(0)
        log.info("scaling_ends")

    def _lead(self, fenced: FencedStore) -> bool:
        """Take a turn as the leader; returns whether the next is to come at once."""
        self._pools.refresh()
        pools = self._pools.current
        reading, lost = self._read_redis(fenced)
        looked_at = self._clock()
        sights, blind = self._look()
        at = self._clock()
        pods = frozenset(pod.name for sight in sights.values() for pod in sight.pods)
        statuses: dict[str, bytes] = {}
        failures: list[Exception] = []
        begun: list[str] = []
        for name, pool in pools.items():
            with _on_its_own(name, failures):
                sight, unread = self._sight(self._runs[name], sights.get(name), at, blind, looked_at)
                missing = "redis" if lost else unread
                self._runs[name].begin(self._turn(name, pool, sight, reading, fenced, pods=pods, at=at, unread=missing))
                begun.append(name)
        for name in begun:
            with _on_its_own(name, failures):
                statuses[name] = orjson.dumps(self._runs[name].go_on())
        if lost:
            raise lost
        fenced.publish(statuses)
        if reading:
            due = [run for run in self._runs.values() if run.is_to_be_saved(at)]
            fenced.save({run.name: run.dumped(at) for run in due})
        if reading and not blind:
            self._forget_workers(fenced, reading, pods)
        if failures:
            raise ExceptionGroup("pools failed", failures)
        return any(run.hurried for run in self._runs.values())

    def _turn(
        self,
        name: str,
        pool: Pool,
        sight: Sight | None,
        reading: Reading | None,
        fenced: FencedStore,
        *,
        pods: frozenset[str],
        at: float,
        unread: str,
    ) -> Turn:
        now = at + self._ahead

        def joined(sight: Sight, reading: Reading, pods: frozenset[str], *, since: float) -> Look:
            asked = self._clock()  # other pools may have had their turns since, and taken long
            read_ago = max(asked - reading.at, asked - since + sight.read_ago)
            return Look(name, pool, sight, reading, self._watch, reading.now or now, pods, read_ago)

        def look_anew(sight: Sight) -> Look:
            queues = sorted({*pool.queues, *self._served_by.get(name, ())})
            anew = self._store.run(read(self._store.keys, queues, at=self._clock()))
            return joined(sight, anew, pods.union(pod.name for pod in sight.pods), since=anew.at)

        look = joined(sight, reading, pods, since=self._clock()) if sight and reading else None
        return Turn(pool, at, now, sight, look, reading, fenced, unread, self._clock, look_anew)

    # ---- looking

    def _read_redis(self, fenced: FencedStore) -> tuple[Reading | None, StoreUnavailable | None]:
        """Return what Redis says, or why it says nothing."""
        try:
            if not fenced.entered:
                fenced.enter(sorted(self.queues()))
            self._meet_pools(fenced)
            reading = self._store.run(read(self._store.keys, self._all_queues(), at=self._clock()))
        except StoreUnavailable as error:
            for name in set(self._pools.current) - set(self._runs):
                self._runs[name] = OnePool(name, self._platform, served=self._served)  # until it is known what was kept
            return None, error
        self._watch.note(reading)
        self._served_by = reading.served
        if reading.now is not None:
            self._ahead = reading.now - reading.at
        return reading, None

    def _meet_pools(self, fenced: FencedStore) -> None:
        """Begin with pools that are new, from what is kept of them, and end with those that are gone."""
        pools = self._pools.current
        new, gone = set(pools) - self._met, set(self._runs) - set(pools)
        fenced.fence(self._all_queues())  # from now on no older leader writes
        saved = fenced.saved() if new else {}
        if new or gone:
            fenced.forget_other_pools(pools)
        for name in new:
            self._runs[name] = OnePool(name, self._platform, served=self._served)
            self._runs[name].take_over(saved.get(name), self._clock())
        for name in gone:
            del self._runs[name]
            metrics.forget(name)
        if gone and self._served is not None:
            self._served.keep(pools)
        self._met = set(pools)

    def _all_queues(self) -> list[str]:
        """Return all queues of the pools, and those that their workers still serve."""
        served = [self._served_by[name] for name in self._runs if name in self._served_by]
        return sorted(frozenset(self.queues()).union(*served))

    def _look(self) -> tuple[Mapping[str, Sight], str]:
        """Return what the platform shows, or why it shows nothing."""
        try:
            sights = self._platform.look()
        except PlatformError as error:
            if str(error) != self._blind:
                log.warning("platform_unread", reason=str(error))
            self._blind = str(error)
            return {}, "pods"
        self._blind = ""
        return sights, ""

    def _sight(
        self, run: OnePool, sight: Sight | None, at: float, blind: str, looked_at: float
    ) -> tuple[Sight | None, str]:
        """Return what is there, as old as it is by now, or what could not be read."""
        if sight is None:
            return None, blind or "nothing is there to be scaled"
        try:
            found = run.caught_up(sight, at)
            since = self._clock() - looked_at if found is sight else 0.0
            return replace(found, read_ago=found.read_ago + since), ""
        except PlatformError:
            return None, "pods"

    def _forget_workers(self, fenced: FencedStore, reading: Reading, pods: frozenset[str]) -> None:
        """Drop reports of workers that are gone for good, of whatever pool: one that does live reports again."""
        silent = (name for name in reading.reports if self._watch.silent(name, reading.at) >= FORGET)
        fenced.forget_workers([name for name in silent if name not in pods])


@contextmanager
def _on_its_own(pool: str, failures: list[Exception]) -> Generator[None]:
    """Note what goes wrong with one pool, so that the others have their turns. Redis being away is for all."""
    try:
        yield
    except (StoreUnavailable, Deposed):
        raise
    except Exception as error:  # noqa: BLE001 - raised again after the last pool
        error.add_note(f"pool {pool}")
        failures.append(error)
