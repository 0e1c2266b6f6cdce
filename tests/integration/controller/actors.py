"""Who takes part: a controller process, a worker's side of leases, and a client's side of jobs."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from heavylift.errors import StoreUnavailable
from heavylift.ids import JobId, new_job_id
from heavylift.model import Job, JobTypeInfo
from heavylift.operations import (
    Claim,
    Claimant,
    Ending,
    LeaseState,
    Outcome,
    Submission,
    claim,
    finish,
    publish_types,
    read_job,
    renew,
    submit,
)
from heavylift.settings import Settings
from heavylift.store import Store
from tests.waiting import wait_until
from tests.watched import Watched

LEASE = 1.0
BEAT = 0.1
TICK = 0.1
"""Seconds: a fifteenth or a tenth of the real ones."""


class Time:
    """A clock that moves when it is told to, and by `step` whenever it is read."""

    def __init__(self) -> None:
        self.now = 0.0
        self.step = 0.0

    def __call__(self) -> float:
        self.now += self.step
        return self.now


class ControllerProcess(Watched):
    """`python -m heavylift_controller` with short periods."""

    def __init__(self, redis_url: str, folder: Path, **env: str) -> None:
        self.log = folder / f"controller-{time.monotonic_ns()}.log"
        settings = {
            "HEAVYLIFT_REDIS_URL": redis_url,
            "HEAVYLIFT_REDIS_TIMEOUT": "PT0.5S",
            "HEAVYLIFT_ARTIFACTS_URL": f"file://{folder}/artifacts",
            "HEAVYLIFT_LEASE_PERIOD": str(LEASE),
            "HEAVYLIFT_HEARTBEAT_INTERVAL": str(BEAT),
            "HEAVYLIFT_CONTROLLER_TICK": str(TICK),
            "HEAVYLIFT_SWEEP_INTERVAL": "0.2",
            "HEAVYLIFT_METRICS_PORT": "0",
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "heavylift_controller"], env={**os.environ, **settings, **env}, stderr=log
            )

    def events(self, name: str) -> list[dict[str, object]]:
        """Return the log lines with this event."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.endswith("}")]
        return [line for line in lines if line["event"] == name]

    def await_contact(self) -> None:
        """Wait until each of its loops was in contact with Redis since now."""
        now = time.time()

        def reached() -> bool:
            assert self.process.poll() is None, self.log.read_text()
            contacts = self.samples("heavylift_controller_last_success_timestamp_seconds", "loop")
            return len(contacts) == 5 and all(at > now for name, at in contacts.items() if name != "sweeper")

        wait_until(lambda: self.events("endpoints_listening"), what="the controller's start")
        wait_until(reached, what="contact of all loops with Redis")

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
        return self.process.wait(5)


class Board:
    """Submits and reads jobs of one queue, and takes them as a worker would."""

    def __init__(self, redis_url: str, queue: str = "video") -> None:
        self.url = redis_url
        self.queue = queue
        self.store = Store.from_settings(Settings(redis_url=redis_url, redis_timeout=timedelta(seconds=3)))
        self.redis: Any = self.store.redis  # its commands are typed for both the sync and the async client
        self.info = JobTypeInfo(type=f"{queue}.test", queue=queue, input_schema={}, output_schema={})
        self.store.run(publish_types(self.store.keys, [self.info]))
        self._claims = 0

    def submit(
        self, count: int = 1, *, run_at: datetime | None = None, retention: timedelta = timedelta(days=7)
    ) -> list[JobId]:
        info = self.info.model_copy(update={"retention": retention})
        items = [Submission(new_job_id(self.queue), info, b"{}", run_at=run_at) for _ in range(count)]
        return [item.id for item in self.store.run(submit(self.store.keys, self.queue, items))]

    def claim(self) -> Claim:
        """Take the next job as a worker that dies at once, unless somebody renews the lease."""
        self._claims += 1
        claimant = Claimant("worker-1", "boot")
        [taken] = self.store.run(
            claim(self.store.keys, self.queue, claimant, number=self._claims, slots=1, busy=self._claims)
        )
        return taken

    def finish(self, taken: Claim, outcome: Outcome = Outcome.SUCCEEDED) -> None:
        ending = Ending(outcome)
        assert self.store.run(
            finish(self.store.keys, taken.id, taken.token, ending, attempt=taken.attempt, worker="worker-1")
        ).written

    def job(self, job_id: JobId) -> Job | None:
        return self.store.run(read_job(self.store.keys, job_id))

    def status(self, job_id: JobId) -> str | None:
        job = self.job(job_id)
        return job.status.value if job else None

    def history(self, job_id: JobId) -> list[bytes]:
        return [json.loads(each)["event"] for each in self.redis.lrange(self.store.keys.events(*job_id), 0, -1)]


class Renewal:
    """The heartbeat of a healthy worker that holds one job: renews through outages, from a thread."""

    def __init__(self, url: str, taken: Claim) -> None:
        self.taken = taken
        self.states: list[LeaseState] = []
        self.allowed = threading.Event()
        self.allowed.set()
        self._stop = threading.Event()
        self._store = Store.from_settings(Settings(redis_url=url, redis_timeout=timedelta(seconds=0.5)))
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Renewal:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.allowed.set()
        self._stop.set()
        self._thread.join()
        self._store.close()

    def await_beats(self, count: int) -> None:
        target = len(self.states) + count
        wait_until(lambda: len(self.states) >= target, what="renewals")

    def kept(self) -> bool:
        """Tell whether no renewal was refused."""
        return set(self.states) == {LeaseState.RENEWED}

    def _run(self) -> None:
        uuid, queue = self.taken.id.uuid, self.taken.id.queue
        while not self._stop.wait(BEAT):
            self.allowed.wait()
            with contextlib.suppress(StoreUnavailable):
                self.states += self._store.run(renew(self._store.keys, queue, [(uuid, self.taken.token)]))
