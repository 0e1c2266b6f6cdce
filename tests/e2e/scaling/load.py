"""Work for a pool, and a person who changes their mind about it: what makes a pool grow and shrink all the time."""

from __future__ import annotations

import random
import threading
from types import TracebackType

from heavylift.client import ClientError
from tests.e2e.commands import CommandFailed
from tests.e2e.scaling.installation import Installation
from tests.e2e.scaling.watch import eventually

JOB_SECONDS = (0.2, 3.0)
PATIENCE = 25
"""Seconds a number may take to be reached; then the next one is asked for, since something was broken meanwhile."""


class Load(threading.Thread):
    """Submits waves of short jobs to a pool; holds it at changing numbers, and leaves it to itself each third time."""

    def __init__(self, installation: Installation, pool: str, most: int, seed: int) -> None:
        super().__init__(daemon=True, name=f"load of {pool}")
        self._installation = installation
        self._pool = pool
        self._most = most
        self._chance = random.Random(seed)
        self._stopping = threading.Event()
        self.accepted: list[str] = []
        self.failure: Exception | None = None

    def __enter__(self) -> Load:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stopping.set()
        self.join(2 * PATIENCE + 60)

    def run(self) -> None:
        try:
            turn = 0
            while not self._stopping.is_set():
                (self._by_itself if turn % 3 == 2 else self._by_hand)()
                turn += 1
        except (AssertionError, ClientError) as error:
            self.failure = error

    def _by_hand(self) -> None:
        up = self._chance.randint(2, self._most)
        self._ask(up)
        self._work(2 * up)
        self._await(up)
        self._work(up)
        down = self._chance.randint(0, up - 1)
        self._ask(down)
        self._stopping.wait(self._chance.uniform(0, 2))
        self._work(1)
        self._await(down)

    def _by_itself(self) -> None:
        self._ask(None)
        self._work(4 * self._most)
        self._stopping.wait(self._chance.uniform(3, 8))
        self._work(self._most)

    def _work(self, jobs: int) -> None:
        if not self._stopping.is_set():
            seconds = [self._chance.uniform(*JOB_SECONDS) for _ in range(jobs)]
            self.accepted += self._installation.submit(self._pool, *seconds)

    def _ask(self, number: int | None) -> None:
        if self._stopping.is_set():
            return
        try:
            if number is None:
                self._installation.let_go(self._pool)
            else:
                self._installation.hold(self._pool, number)
        except CommandFailed:  # what is broken may be what this needs; the next number is asked for all the same
            return

    def _await(self, number: int) -> None:
        watching = self._installation.watching
        eventually(lambda: self._stopping.is_set() or watching.replicas(self._pool) == number, PATIENCE)
