"""What nobody is much quicker than: a BLMOVE loop, with the job in the same process or in a child over a pipe.

`blmove_loop.py bare` and `blmove_loop.py child` are workers with one slot. A job is moved to a list of this worker's
and removed from there when it has run, so that a killed worker's job is not lost. No retries, no limits, no records.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable

import redis
from notes import note

URL = os.environ["BENCH_REDIS_URL"]
WAITING, RUNNING = "loop:waiting", "loop:running"


@functools.cache
def client() -> redis.Redis:
    """Return the process's connection."""
    return redis.Redis.from_url(URL)


def submit(number: int, seconds: float) -> None:
    """Send one job."""
    client().lpush(WAITING, f"{number} {seconds}")


def fill(count: int) -> None:
    """Send jobs."""
    for number in range(count):
        submit(number, 0.0)


def work(run: Callable[[bytes], None]) -> None:
    """Take jobs and run them, for ever."""
    while True:
        message = client().execute_command("BLMOVE", WAITING, RUNNING, "RIGHT", "LEFT", 0)
        run(message)
        client().lrem(RUNNING, 1, message)


def run_here(message: bytes) -> None:
    """Run a job in this process."""
    number, seconds = message.split()
    note(int(number), float(seconds))


class Child:
    """A process that runs jobs: it reads a line each and answers with a byte."""

    def __init__(self) -> None:
        jobs_out, jobs_in = os.pipe()
        done_out, done_in = os.pipe()
        if os.fork() == 0:
            os.close(jobs_in)  # so that it ends with its parent
            with os.fdopen(jobs_out, "rb") as jobs:
                for message in jobs:
                    run_here(message)
                    os.write(done_in, b".")
            os._exit(0)
        self.jobs, self.done = jobs_in, done_out

    def run(self, message: bytes) -> None:
        """Have a job run and wait for its end."""
        os.write(self.jobs, message + b"\n")
        os.read(self.done, 1)


if __name__ == "__main__":
    work(Child().run if sys.argv[1] == "child" else run_here)
