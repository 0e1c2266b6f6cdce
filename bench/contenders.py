"""Who takes part, with what settings. Their code is in bench/peers, run by their own interpreters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.environments import BENCH, OWN, python_of
from bench.processes import Program, run
from bench.redis_server import RedisServer

PEERS = BENCH / "peers"
SLOTS = 2
CALL_SECONDS = 120
"""Bound of one `fill`, `stored` or `trickle`."""


@dataclass(frozen=True)
class Contender:
    """A task queue as it takes part: two slots, each a process, results stored."""

    name: str
    module: str
    """In bench/peers."""
    worker: tuple[str, ...]
    """What follows the interpreter; started `workers` times."""
    jobs: int
    """No-op jobs of one drain: a few seconds' work."""
    promise: str = "at least once"
    environment: str = OWN
    workers: int = 1

    def env(self, server: RedisServer, notes: Path) -> dict[str, str]:
        """Return what its processes need to know."""
        return {
            "BENCH_REDIS_URL": server.url,
            "RQ_REDIS_URL": server.url,
            "BENCH_NOTES": str(notes),
            "PYTHONPATH": str(PEERS),
            "TMPDIR": str(notes.parent),
            "HEAVYLIFT_REDIS_URL": server.url,
            "HEAVYLIFT_ARTIFACTS_URL": (notes.parent / "artifacts").as_uri(),
            "HEAVYLIFT_LOG_LEVEL": "warning",  # as the peers log by default
        }

    def call(self, server: RedisServer, notes: Path, *command: str) -> str:
        """Run its module with a command of bench/peers/notes.py and return what it printed."""
        script = str(PEERS / "notes.py")
        return run(
            [python_of(self.environment), script, self.module, *command],
            env=self.env(server, notes),
            seconds=CALL_SECONDS,
        )

    def start(self, server: RedisServer, notes: Path) -> list[Program]:
        """Start its workers."""
        command = [python_of(self.environment), *self.worker]
        log = notes.with_suffix(".log")
        return [Program(command, env=self.env(server, notes), log=log) for _ in range(self.workers)]


HEAVYLIFT = Contender(
    "Heavylift",
    "heavylift_jobs",
    ("-m", "heavylift_worker", "--jobs", "heavylift_jobs", "--concurrency", str(SLOTS)),
    jobs=3000,
)

_CELERY = ("-m", "celery", "-A", "celery_app", "worker", "--without-gossip", "--without-mingle", "--without-heartbeat")

CELERY = Contender("Celery prefork", "celery_app", (*_CELERY, "-c", str(SLOTS)), jobs=2000)

CELERY_DEFAULT = Contender(
    "Celery prefork, default flags",
    "celery_app",
    ("-m", "celery", "-A", "celery_app", "worker", "-c", str(SLOTS)),
    jobs=2000,
)

CELERY_SOLO = Contender("Celery solo, two processes", "celery_app", (*_CELERY, "-P", "solo"), jobs=2000, workers=SLOTS)
"""Quicker, but a job cannot be killed, limited in time or cancelled, and a drain waits for it."""

OTHERS = (
    Contender(
        "dramatiq",
        "dramatiq_app",
        ("-m", "dramatiq", "dramatiq_app", "--processes", str(SLOTS), "--threads", "1"),
        jobs=3000,
        environment="dramatiq",
    ),
    Contender(
        "taskiq (stream)",
        "taskiq_app",
        (
            "-m",
            "taskiq",
            "worker",
            "taskiq_app:broker",
            "--workers",
            str(SLOTS),
            "--max-async-tasks",
            "1",
            "--ack-type",
            "when_saved",
            "--log-level",
            "WARNING",
        ),
        jobs=3000,
        environment="taskiq",
    ),
    Contender("arq", "arq_app", ("-m", "arq", "arq_app.WorkerSettings"), jobs=600, environment="arq", workers=SLOTS),
    Contender(
        "rq (fork a job)",
        "rq_app",
        ("-m", "rq.cli", "worker-pool", "-n", str(SLOTS), "--quiet"),
        jobs=60,
        environment="rq",
    ),
    Contender(
        "huey",
        "huey_app",
        ("-m", "huey.bin.huey_consumer", "huey_app.huey", "--quiet", "-k", "process", "-w", str(SLOTS)),
        jobs=3000,
        promise="at most once",
        environment="huey",
    ),
    Contender("saq", "saq_app", ("-m", "saq", "saq_app.settings"), jobs=2000, environment="saq", workers=SLOTS),
)


def all_of(contenders: Sequence[Contender]) -> Sequence[Contender]:
    """Return the contenders once their environments are installed."""
    for contender in contenders:
        python_of(contender.environment)
    return contenders
