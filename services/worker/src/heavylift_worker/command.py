"""The command line of a worker: `python -m heavylift_worker`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from heavylift.errors import ConfigurationError
from heavylift.settings import load
from heavylift_worker.settings import WorkerSettings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a worker and return its exit code: 2 where a setting is wrong."""
    given = {name: value for name, value in vars(_parser().parse_args(arguments)).items() if value is not None}
    try:
        settings = load(WorkerSettings, **given)
        return _run(settings)
    except ConfigurationError as error:
        print(f"heavylift-worker: {error}", file=sys.stderr)  # noqa: T201 - the command's answer to its user
        return 2


def _run(settings: WorkerSettings) -> int:
    from heavylift.logs import configure  # noqa: PLC0415 - `--help` and bad settings answer without Celery's imports
    from heavylift.redis_check import check_redis  # noqa: PLC0415
    from heavylift_worker.worker import run_worker  # noqa: PLC0415

    # Both speak of our transport's URL, which names no host: one warns, the other says "Connected to … localhost".
    configure(settings, quiet={"kombu.connection": "ERROR", "celery.worker.consumer.connection": "WARNING"})
    check_redis(settings)
    return run_worker(settings)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m heavylift_worker",
        description="Run jobs. Options go before the environment's HEAVYLIFT_* variables.",
    )
    parser.add_argument(
        "--queues", type=_names, help="queues to serve, in order, separated by commas (default: all of its jobs)"
    )
    parser.add_argument("--concurrency", help="jobs at a time, each in a process of its own (default: 1)")
    parser.add_argument("--name", dest="worker_name", help="the worker's name (default: host and process id)")
    parser.add_argument("--jobs", nargs="+", help="modules with job types (default: the built-in ones)")
    parser.add_argument(
        "--preload", action="store_true", default=None, help="import the jobs' libraries before forking"
    )
    return parser


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
