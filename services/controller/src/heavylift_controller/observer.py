"""Reads what the queues hold, for metrics."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from heavylift.operations import QueueState, queue_state
from heavylift.store import Store
from heavylift_controller.queues import Queues

STALE_TICKS = 5
"""An observation older than so many ticks is withheld: no data is not zero, and old data is not new."""

STATES = ("waiting", "running", "scheduled", "dead")


@dataclass(frozen=True, slots=True)
class Observation:
    """What all queues held at a time of the monotonic clock."""

    at: float
    queues: Mapping[str, QueueState]


class Observer:
    """Reads every queue's state each tick and keeps the newest."""

    def __init__(
        self, store: Store, queues: Queues, *, tick: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._queues = queues
        self._tick = tick
        self._clock = clock
        self._observation: Observation | None = None

    def turn(self) -> float:
        """Read every queue's state; returns the seconds to the next turn."""
        try:
            at = self._clock()
            states = dict(self._queues.each(self._read))
        except Exception:
            self._observation = None
            raise
        self._observation = Observation(at, states)
        return self._tick

    def _read(self, queue: str) -> tuple[str, QueueState]:
        return queue, self._store.run(queue_state(self._store.keys, queue))

    def newest(self) -> Observation | None:
        """Return the newest observation, or None when contact was lost or it is old."""
        observation = self._observation
        if observation is None or self._clock() - observation.at > STALE_TICKS * self._tick:
            return None
        return observation


class QueueStateCollector(Collector):
    """Shows the newest observation as metrics; without one there are no samples, instead of zeros."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def collect(self) -> Iterator[Metric]:
        """Yield the metric families."""
        jobs, oldest = families()
        observation = self._observer.newest()
        for queue, state in (observation.queues if observation else {}).items():
            for name in STATES:
                jobs.add_metric((queue, name), getattr(state, name))
            oldest.add_metric((queue,), state.oldest_age_seconds)
        yield jobs
        yield oldest


def families() -> tuple[GaugeMetricFamily, GaugeMetricFamily]:
    """Return the metrics about queues, without samples."""
    jobs = GaugeMetricFamily(
        "heavylift_queue_jobs",
        "Jobs of a queue by state: `waiting`, `running`, `scheduled`, and `dead`, which failed and are kept for replay."
        " Absent while Redis cannot be read.",
        labels=("queue", "state"),
    )
    oldest = GaugeMetricFamily(
        "heavylift_queue_oldest_age_seconds",
        "How long the oldest waiting job has waited since its submit, 0 if none waits. Absent while Redis cannot be"
        " read.",
        labels=("queue",),
    )
    return jobs, oldest
