"""From what is seen to what is remembered, and from there to estimates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

from heavylift_controller.scaling import arrivals, boot_times, service_times
from heavylift_controller.scaling.boot_times import BootTime
from heavylift_controller.scaling.memory import Memory
from heavylift_controller.scaling.service_times import Mixture, ServiceMemory, ServiceTime
from heavylift_controller.scaling.settings import PoolSettings, QueueTarget
from heavylift_controller.scaling.state import STALE, PoolState, QueueLoad, Worker


def learn(memory: Memory, state: PoolState) -> Memory:
    """Return the memory with what this state adds; what could not be read adds nothing."""
    if state.read_ago > STALE:
        return memory
    if state.queues is not None:
        memory = replace(
            memory,
            service={**memory.service, **{name: _served(memory, name, load) for name, load in state.queues.items()}},
            arrivals={
                **memory.arrivals,
                **{
                    name: arrivals.learn(memory.arrivals.get(name), load.arrived, state.now)
                    for name, load in state.queues.items()
                },
            },
        )
    if state.workers is not None:
        memory = replace(memory, boots=boot_times.learn(memory.boots, state.workers))
    return memory


def _served(memory: Memory, queue: str, load: QueueLoad) -> Mapping[str, ServiceMemory]:
    known = memory.service.get(queue, {})
    learned = {
        job_type: service_times.learn(known.get(job_type, ServiceMemory()), counters)
        for job_type, counters in load.served.items()
    }
    return {**known, **learned}


class Estimates:
    """What is expected of a pool's jobs and boots, from its memory and what runs now."""

    def __init__(self, memory: Memory, settings: PoolSettings, workers: Iterable[Worker]) -> None:
        self._memory = memory
        self._settings = settings
        self._ages: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        self._by_type: dict[tuple[str, str], ServiceTime] = {}
        self._waiting: dict[str, Mixture] = {}
        for worker in workers:
            for job in worker.running:
                self._ages[job.queue][job.job_type].append(job.age)
        self.boot: BootTime = boot_times.estimate(memory.boots)

    def of_type(self, queue: str, job_type: str) -> ServiceTime:
        """Return how long jobs of a type take."""
        key = queue, job_type
        if key not in self._by_type:
            known = self._memory.service.get(queue, {}).get(job_type, ServiceMemory())
            self._by_type[key] = service_times.estimate(
                known.weights,
                self._ages[queue][job_type],
                expected=self._expected(queue),
                per_second=self.per_second(queue),
            )
        return self._by_type[key]

    def waiting_in(self, queue: str, load: QueueLoad) -> Mixture:
        """Return how long what waits in a queue takes: by its types where they are known, else as what ran there."""
        if queue not in self._waiting:
            self._waiting[queue] = self._mixture(queue, load)
        return self._waiting[queue]

    def _mixture(self, queue: str, load: QueueLoad) -> Mixture:
        shares: Mapping[str, float] = load.waiting_types or self._ran_in(queue)
        parts = tuple((share, self.of_type(queue, job_type)) for job_type, share in shares.items() if share > 0)
        return Mixture(parts or ((1.0, service_times.estimate({}, (), expected=self._expected(queue))),))

    def per_second(self, queue: str) -> float:
        """Return how many jobs a second come into a queue."""
        known = self._memory.arrivals.get(queue)
        return known.rate if known else 0.0

    def waited(self, queue: str, load: QueueLoad, now: float) -> list[tuple[int, float]]:
        """Return what waits in a queue as (jobs, seconds waited at most), the oldest first."""
        known = self._memory.arrivals.get(queue)
        if known is None:
            return [(load.waiting, load.oldest_age)]
        return arrivals.groups(known, load.waiting, oldest_age=load.oldest_age, now=now)

    def _ran_in(self, queue: str) -> Mapping[str, float]:
        known = self._memory.service.get(queue, {})
        return {job_type: sum(memory.weights.values()) for job_type, memory in known.items()}

    def _expected(self, queue: str) -> float:
        """Jobs of a queue that the pool no longer serves may still be running."""
        return self._settings.queues.get(queue, QueueTarget()).expected_service
